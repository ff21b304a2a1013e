"""`assistant profile`: see, use, compare, switch off, explain, export, import and delete what was learned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assistant.commands.context import Globals, confirm, opened, pass_globals, print_json, run
from assistant.commands.parameters import Number
from assistant.figures import count

if TYPE_CHECKING:
    from assistant.app import Assistant
    from assistant.profile.version import Explanation, Profile
    from assistant.records import Measure, Phrase, Span

MEASURES = ("ratio", "difference")
"""`assistant.records.Measure`, which is not imported for a command's help."""
MOST_SHOWN = 10


@click.group()
def profile() -> None:
    """What the assistant has learned, and whether it steers."""


@profile.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_globals
def show(chosen: Globals, as_json: bool) -> None:
    """Show the version in use: description, phrases, gain, harm."""
    from assistant.commands.rebuild import summary
    from assistant.profile.steering import steering_words

    async def work() -> None:
        async with opened(chosen) as assistant:
            shown, state, news = _in_use(assistant), assistant.profiles.state(), await assistant.offer.news()
            if as_json:
                print_json({"profile": shown, "state": state, "news": news})
                return
            click.echo(summary(shown))
            status = assistant.chat.steering()
            on = "on" if status.on and status.version is not None else f"off ({status.note})"
            click.echo(f"  steering       {on}, strength {state.strength:g}")
            if status.imported:
                click.echo(f"  imported       {steering_words(None, None, status.imported)}")
            advice = "; `assistant rebuild` learns from them" if news.enough else ""
            click.echo(f"  news           {news.words}{advice}")

    run(work())


@profile.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_globals
def list_versions(chosen: Globals, as_json: bool) -> None:
    """List all versions, newest first."""

    async def work() -> None:
        async with opened(chosen) as assistant:
            versions = assistant.profiles.all()
            if as_json:
                print_json(versions)
                return
            for version in versions:
                click.echo(_line(version))
            if not versions:
                click.echo("No profile yet; `assistant rebuild` makes one.", err=True)

    run(work())


@profile.command()
@click.argument("version", type=int)
@pass_globals
def use(chosen: Globals, version: int) -> None:
    """Put a version to use (roll back or forward) and switch steering on."""

    async def work() -> None:
        async with opened(chosen) as assistant:
            click.echo(_line(assistant.profiles.use(version)))

    run(work())


@profile.command()
@pass_globals
def off(chosen: Globals) -> None:
    """Switch the profile off; version and strength are kept (`assistant profile use` switches it on again)."""

    async def work() -> None:
        async with opened(chosen) as assistant:
            assistant.profiles.set_enabled(False)
            still = assistant.chat.steering().words
            click.echo(f"The profile is off; imported vectors still steer: {still}." if still else "Steering is off.")

    run(work())


@profile.command()
@click.argument("strength", type=Number(0, 2))
@pass_globals
def strength(chosen: Globals, strength: float) -> None:
    """Set the steering strength, 0 to 2 (1 = calibrated)."""

    async def work() -> None:
        async with opened(chosen) as assistant:
            assistant.profiles.set_strength(strength)
            safe = _in_use(assistant).outcome.safe_strength
            click.echo(f"Strength is {strength:g}.")
            if strength > safe:
                click.echo(f"Above {safe:g} replies leave the harm budget; expect repetition.", err=True)

    run(work())


@profile.command()
@click.argument("item", required=False)
@click.option(
    "--by",
    type=click.Choice(MEASURES),
    default="ratio",
    show_default=True,
    help="Mark tokens by the log ratio (favours rare words) or the difference of probabilities (common words).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_globals
def explain(chosen: Globals, item: str | None, by: Measure, as_json: bool) -> None:
    """Show why: the phrases and all items, with why one is left out; or one ITEM's text with its effects."""

    async def work() -> None:
        async with opened(chosen) as assistant:
            if item is not None:
                explanation = assistant.profiles.explain(item)
                print_json(explanation) if as_json else _print_explanation(explanation, by)
            elif as_json:
                print_json({"phrases": _phrases(assistant), "items": assistant.preferences.items()})
            else:
                _print_overview(assistant)

    run(work())


@profile.command()
@click.option("--all", "show_all", is_flag=True, help="Show every text, not only the first ten.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, always with every text.")
@pass_globals
def influence(chosen: Globals, show_all: bool, as_json: bool) -> None:
    """Show which texts moved the vector most: how far it would turn without each of them."""

    from assistant.commands.influence import influence_lines

    async def work() -> None:
        async with opened(chosen) as assistant:
            found = assistant.profiles.influential()
            if as_json:
                print_json(found)
                return
            for line in influence_lines(found if show_all else found[:MOST_SHOWN]):
                click.echo(line)
            if found:
                click.echo("`assistant profile exclude ITEM` takes one out; rebuild afterwards.", err=True)
            else:
                click.echo("Nothing is known of it: there is no vector, or it was made by an older version.", err=True)

    run(work())


@profile.command()
@click.argument("items", metavar="ITEM...", nargs=-1, required=True)
@pass_globals
def exclude(chosen: Globals, items: tuple[str, ...]) -> None:
    """Take texts out: the next rebuild does not learn from them."""

    async def work() -> None:
        async with opened(chosen) as assistant:
            for item in items:
                assistant.preferences.exclude(item)
            click.echo(f"Left out from the next `assistant rebuild` on: {', '.join(items)}.")

    run(work())


@profile.command()
@click.argument("items", metavar="ITEM...", nargs=-1, required=True)
@pass_globals
def include(chosen: Globals, items: tuple[str, ...]) -> None:
    """Learn from texts again that were taken out."""

    async def work() -> None:
        async with opened(chosen) as assistant:
            for item in items:
                assistant.preferences.include(assistant.preferences.get(item).item.id)
            click.echo(f"Learned from again from the next `assistant rebuild` on: {', '.join(items)}.")

    run(work())


@profile.command()
@click.argument("items", metavar="ITEM...", nargs=-1, required=True)
@click.option("--undo", is_flag=True, help="Take that back: it is not yours.")
@pass_globals
def mine(chosen: Globals, items: tuple[str, ...], undo: bool) -> None:
    """Learn from what was pasted into texts, too: it is your own."""

    async def work() -> None:
        async with opened(chosen) as assistant:
            for item in items:
                if undo:
                    assistant.preferences.disclaim(assistant.preferences.get(item).item.id)
                else:
                    assistant.preferences.claim(item)
            what = "left out again" if undo else "learned from"
            click.echo(f"From the next `assistant rebuild` on, what was pasted is {what}: {', '.join(items)}.")

    run(work())


@profile.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--version", type=int, help="The version that a .zip gets; else the one in use.")
@click.option("--force", is_flag=True, help="Replace a .zip that is there.")
@pass_globals
def export(chosen: Globals, file: Path, version: int | None, force: bool) -> None:
    """Write what was learned to FILE.zip, or the vector in use to FILE.gguf.

    FILE.zip is a whole version for `assistant profile import`: vector, description, phrases and figures, but none of
    your texts. FILE.gguf is a llama.cpp control vector, with the strength applied.
    """
    from assistant.visible import sanitise

    async def work() -> None:
        async with opened(chosen) as assistant:
            shown = sanitise(str(file))
            if file.suffix.lower() == ".zip":
                number = _in_use(assistant).version if version is None else version
                await assistant.profiles.export_version(number, file, force=force)
                click.echo(f"{shown}: written; `assistant profile import {shown}` reads version {number} from it")
            elif version is not None:
                raise click.UsageError("--version needs a FILE that ends in .zip.")
            else:
                assistant.profiles.export(file)
                click.echo(f"{shown}: written; load it with `--control-vector {shown}` in llama.cpp")

    run(work())


@profile.command(name="import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_globals
def import_(chosen: Globals, file: Path, as_json: bool) -> None:
    """Keep the version in a FILE.zip of `assistant profile export` as a new one, not in use."""

    async def work() -> None:
        async with opened(chosen) as assistant:
            added = await assistant.profiles.import_version(file)
            if as_json:
                print_json(added)
                return
            click.echo(_line(added))
            if added.other_model:
                click.echo("It is for another model than the one in use, and steers once that one is chosen.", err=True)

    run(work())


@profile.command()
@click.argument("version", type=int)
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_globals
def delete(chosen: Globals, version: int, yes: bool) -> None:
    """Erase a version: vector, phrases, description and figures, but none of your texts. There is no undo."""

    async def work() -> None:
        async with opened(chosen) as assistant:
            click.echo(_line(assistant.profiles.get(version)), err=True)
            if not yes:
                confirm("Erase this version? Your texts stay; automatic backups go.")
            assistant.profiles.delete(version)
            click.echo(f"Version {version} is erased.")

    run(work())


@profile.command()
@click.argument("before", type=int)
@click.argument("after", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_globals
def compare(chosen: Globals, before: int, after: int, as_json: bool) -> None:
    """Show what changed from one version to another: texts, phrases, description, figures."""
    from assistant.profile.comparison import comparison_lines
    from assistant.visible import sanitise

    async def work() -> None:
        async with opened(chosen) as assistant:
            found = assistant.profiles.compare(before, after)
            print_json(found) if as_json else click.echo(sanitise("\n".join(comparison_lines(found))))

    run(work())


def _in_use(assistant: Assistant) -> Profile:
    from assistant.errors import AssistantError

    current = assistant.profiles.current()
    if current is None:
        raise AssistantError("no profile is in use; `assistant rebuild` makes one")
    return current


def _phrases(assistant: Assistant) -> tuple[Phrase, ...]:
    """Those of the version in use; none without one."""
    current = assistant.profiles.current()
    return current.outcome.phrases if current else ()


def _line(version: Profile) -> str:
    o = version.outcome
    marks = ("  in use" if version.in_use else "") + ("  stale" if version.stale else "")
    marks += ("  imported" if version.imported else "") + ("  for another model" if version.other_model else "")
    when = version.created_at.astimezone().strftime("%Y-%m-%d %H:%M")
    return (
        f"{version.version:>4}  {when}  {count(o.items, 'item')}  {o.form}  "
        f"gain {o.gain_nats_per_token:+.3f}  KL {o.kl_neutral:.3f}{marks}"
    )


def _print_overview(assistant: Assistant) -> None:
    from assistant.visible import one_line

    phrases, items = _phrases(assistant), assistant.preferences.items()
    if assistant.profiles.current() is None:
        click.echo("No profile is in use, so there are no phrases; `assistant rebuild` makes one.", err=True)
    else:
        click.echo(click.style("Phrases (effect in nats, items):", bold=True))
    for phrase in phrases:
        click.echo(f"  {phrase.effect:+7.2f}  {one_line(phrase.text, 40):<40}  {', '.join(phrase.item_ids[:4])}")
    if not items:
        click.echo("Nothing to learn from yet: chat, or `assistant import` texts of yours.", err=True)
        return
    click.echo(click.style("Items:", bold=True))
    for learnable in items:
        note = f"  [{learnable.why_left_out}]" if learnable.why_left_out else ""
        click.echo(f"  {learnable.item.id:<12}  {learnable.item.source:<11}  {one_line(learnable.item.text, 60)}{note}")


def _print_explanation(explanation: Explanation, by: Measure) -> None:
    from assistant.records import PREFERENCE_THRESHOLD
    from assistant.visible import sanitise

    if explanation.left_out:
        click.echo(f"Not learned from: {explanation.left_out}.", err=True)
    if explanation.passages:
        from assistant.profile.left_out import passage_lines, passages_in_words

        click.echo(f"Left out: {passages_in_words(explanation.passages)}.", err=True)
        for line in passage_lines(explanation.passages):
            click.echo(f"  {line}", err=True)
    if explanation.context:
        click.echo(click.style(sanitise(explanation.context), dim=True))
    click.echo(_coloured(explanation.text, explanation.spans, by))
    for phrase in explanation.phrases:
        click.echo(f"  {phrase.effect:+7.2f}  {sanitise(phrase.text)}")
    if not explanation.spans:
        return
    measure = "nats likelier" if by == "ratio" else "more probable"
    click.echo(f"[[…]]: at least {PREFERENCE_THRESHOLD[by]:g} {measure} because it is you.", err=True)
    compared = ", ".join(explanation.compared_with) or "nothing, as it is your first: no word of it can be told yours"
    click.echo(f"Compared with {compared}.", err=True)
    if explanation.unscored:
        click.echo(f"The last {explanation.unscored} characters are not scored: the text is too long.", err=True)


def _coloured(text: str, spans: tuple[Span, ...], by: Measure) -> str:
    """Preference-driven tokens in brackets, and in green on a terminal: told by more than colour."""
    from assistant.records import PREFERENCE_THRESHOLD
    from assistant.visible import sanitise

    shown, place = [], 0
    for span in spans:
        if span.by(by) >= PREFERENCE_THRESHOLD[by] and span.end > span.start:
            shown.append(sanitise(text[place : span.start]))
            shown.append(click.style(f"[[{sanitise(text[span.start : span.end])}]]", fg="green"))
            place = span.end
    return "".join([*shown, sanitise(text[place:])])
