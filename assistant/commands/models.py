"""`assistant models` and `assistant cache`: get, check, choose and remove model files; what is kept to be quicker."""

from __future__ import annotations

import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assistant.commands.context import Globals, confirm, opened, pass_globals, print_json, run
from assistant.commands.parameters import not_blank

if TYPE_CHECKING:
    from assistant.models.advice import Advice
    from assistant.models.examine import Finding
    from assistant.models.hub.download import Download, Downloaded, Downloading
    from assistant.models.local import ModelInfo

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def models() -> None:
    """Model files: at hand, recommended, downloaded, checked, in use."""


@models.command(name="list")
@as_json
@pass_globals
def list_models(chosen: Globals, as_json: bool) -> None:
    """List the models at hand: bundled, in the models folder, of Ollama and LM Studio. * is the one in use."""

    async def work() -> None:
        async with opened(chosen) as assistant:
            found, in_use = assistant.models.list(), assistant.models.in_use()
            if as_json:
                print_json(found)
                return
            for model in found:
                click.echo(f"{'*' if model.path.resolve() == in_use else ' '} {_model_line(model)}")
            for left in assistant.models.unfinished():
                again = _plain(left.wanted) or "it"
                click.echo(
                    f"  {left.name}: unfinished download, {_size(left.size)} so far; pull {again} again to go on"
                )
            if not found:
                click.echo(f"No models; put a GGUF file into {assistant.paths.models}.", err=True)

    run(work())


@models.command()
@as_json
@pass_globals
def recommend(chosen: Globals, as_json: bool) -> None:
    """Judge the catalogue for this machine: what fits, what is recommended, and why."""

    async def work() -> None:
        async with opened(chosen) as assistant:
            advice = assistant.models.advice()
            if as_json:
                print_json(advice)
                return
            for one in advice:
                click.echo(_advice_line(one))
            best = next((one.model.name for one in advice if one.recommended), None)
            if best:
                click.echo(f"Download it: assistant models pull {best}", err=True)

    run(work())


@models.command()
@click.argument("wanted", metavar="NAME|REPOSITORY[:FILE]")
@pass_globals
def pull(chosen: Globals, wanted: str) -> None:
    """Download a model of the catalogue, or of a Hugging Face repository.

    Progress goes to stderr. Ctrl+c stops it and keeps what came; the same command goes on from there.
    """

    async def work() -> Downloaded:
        async with opened(chosen) as assistant:
            return await _pulled(assistant.models.download(wanted))

    try:
        found = run(work())
    except KeyboardInterrupt:
        click.echo(f"\nstopped; what came is kept, go on with: assistant models pull {wanted}", err=True)
        raise
    name = found.path.name
    click.echo(f"{name} is there already" if found.already_there else f"{name}: downloaded and verified")
    click.echo(f"Let it answer: assistant models use {name}", err=True)


@models.command()
@click.argument("model", default="", metavar="[NAME|PATH]")
@click.option("--load", is_flag=True, help="Load it too, and see whether control vectors move it.")
@as_json
@pass_globals
def check(chosen: Globals, model: str, load: bool, as_json: bool) -> None:
    """Check a model file, or the one in use: whole, known to the engine, made for chatting. Exit code 1 if not."""
    from assistant.errors import AssistantError
    from assistant.trial import load_findings

    async def work() -> list[Finding]:
        async with opened(chosen) as assistant:
            spec = model or str(assistant.model.path())
            findings = assistant.models.check(spec)
            if load and findings[0].ok:
                findings.extend(await load_findings(assistant.models.find(spec).path, assistant.paths))
            return findings

    findings = run(work())
    if as_json:
        print_json(findings)
    else:
        for finding in findings:
            click.echo(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name:<8} {_plain(finding.detail)}")
    if not all(finding.ok for finding in findings):
        raise AssistantError("the model has a problem, see above")


@models.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--link", is_flag=True, help="Link to the file, which stays where it is; the default.")
@click.option("--move", is_flag=True, help="Move the file into the models folder.")
@pass_globals
def add(chosen: Globals, file: Path, link: bool, move: bool) -> None:
    """Add FILE, a model in GGUF format, to the models folder. By default it stays where it is and is linked to."""
    if link and move:
        raise click.UsageError("--link and --move contradict each other")

    async def work() -> None:
        async with opened(chosen) as assistant:
            added = assistant.models.add(file, move=move)
            click.echo(f"{added.name}: {'moved' if move else 'linked'} into {added.parent}")

    run(work())


@models.command()
@click.argument("model", callback=not_blank)
@pass_globals
def use(chosen: Globals, model: str) -> None:
    """Let MODEL answer from the next message on: a name of `assistant models list`, or a path."""

    async def work() -> None:
        async with opened(chosen) as assistant:
            click.echo(f"in use: {_model_line(assistant.models.use(model))}")

    run(work())


@models.command()
@click.argument("model", callback=not_blank)
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_globals
def remove(chosen: Globals, model: str, yes: bool) -> None:
    """Delete MODEL from the models folder, or what came of an unfinished download. Says first what that means."""

    async def work() -> None:
        async with opened(chosen) as assistant:
            unfinished = [left for left in assistant.models.unfinished() if model in (left.name, left.wanted)]
            for left in unfinished:
                assistant.models.give_up(left)
            if unfinished:
                click.echo(f"{model}: what came of it is deleted")
                return
            removal = assistant.models.removal(model)
            name = _plain(removal.model.name)
            frees = f"frees {_size(removal.frees)}" if removal.frees else "only the link goes, the file stays"
            made = ", ".join(map(str, removal.profiles))
            profiles = f"; profile versions {made} were made for it and will not fit another model" if made else ""
            in_use = "; it is in use, the bundled model will answer" if removal.in_use else ""
            if not yes:
                confirm(f"Remove {name}? {frees}{profiles}{in_use}.")
            assistant.models.remove(removal)
            click.echo(f"{name}: removed ({frees})")

    run(work())


@click.group()
def cache() -> None:
    """What is kept to be quicker; profiles, history and models are never part of it."""


@cache.command()
@as_json
@pass_globals
def show(chosen: Globals, as_json: bool) -> None:
    """Show what lies in the cache, how large it is, and what it costs to do without it."""

    async def work() -> None:
        async with opened(chosen) as assistant:
            found = assistant.models.cached()
            if as_json:
                print_json(found)
                return
            if not found:
                click.echo("Nothing is cached.", err=True)
            for kind in found:
                click.echo(f"{_size(kind.size):>9}  {kind.name:<10} {kind.what}")

    run(work())


@cache.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_globals
def clear(chosen: Globals, yes: bool) -> None:
    """Delete what lies in the cache; it is made again when it is needed."""

    async def work() -> None:
        async with opened(chosen) as assistant:
            found = assistant.models.cached()
            if not found:
                click.echo("Nothing is cached.", err=True)
                return
            if not yes:
                confirm(f"Delete {_size(sum(kind.size for kind in found))}?")
            freed = sum(kind.size for kind in assistant.models.clear_cache())
            click.echo(f"{_size(freed)} freed")

    run(work())


async def _pulled(download: Download) -> Downloaded:
    from assistant.errors import DownloadError
    from assistant.models.hub.download import Downloaded

    shown: Any = None
    async with aclosing(download.run()) as events:
        async for event in events:
            if isinstance(event, Downloaded):
                if sys.stderr.isatty() and shown:
                    click.echo(err=True)
                return event
            shown = _show(event, shown)
    raise DownloadError("the download ended without a model; try again")


def _show(event: Downloading, shown: str | None) -> str:
    """Keep one line up to date on a terminal; elsewhere write one for every tenth. Returns what was shown last."""
    share = event.done / event.size if event.size else 0.0
    state = "verifying" if event.verifying else "waiting for the hub" if event.waiting else f"{_size(event.speed)}/s"
    left = f", {_time(event.seconds_left)} left" if event.seconds_left is not None and not event.verifying else ""
    line = f"{_plain(event.name)}  {share:4.0%}  {_size(event.done)} of {_size(event.size)}, {state}{left}"
    tenth = "verifying" if event.verifying else f"{share:.1f}"
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{line}", nl=False, err=True)
    elif tenth != shown:
        click.echo(line, err=True)
    return tenth


def _model_line(model: ModelInfo) -> str:
    name = _plain(model.name) + ("" if model.source == "models folder" else f" ({model.source})")
    if model.header is None:
        return f"{name}: {_plain(model.problem)}"
    h = model.header
    called = _plain(h.name or h.architecture)
    return f"{name}: {called}, {h.quantization}, {_size(model.size)}, context {h.context_length}"


def _advice_line(advice: Advice) -> str:
    m = advice.model
    mark = "*" if advice.recommended else " " if advice.fits else "-"
    why = f" ({advice.why})" if advice.why else ""
    token = ", needs a token" if m.gated else ""
    return f"{mark} {m.name:<13} {_size(m.size):>7}  {m.quantization}, {m.licence}{token}. {m.notes}{why}"


def _size(size: float) -> str:
    if 0 < size < 5e5:  # rounded it would be nothing
        return "< 1 MB"
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _time(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"


def _plain(text: str) -> str:
    from assistant.visible import one_line

    return one_line(text, 400)
