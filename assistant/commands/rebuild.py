"""`assistant rebuild`: learn the profile anew."""

from __future__ import annotations

import sys
from contextlib import aclosing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from assistant.commands.context import Globals, opened, pass_globals, print_json, run
from assistant.figures import count

if TYPE_CHECKING:
    from assistant.app import Assistant
    from assistant.profile.steering import SteeringStatus
    from assistant.profile.version import Profile
    from assistant.rebuild.runner import Progress, Rebuilt
    from assistant.records import Outcome

INFLUENTIAL_SHOWN = 3


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON on stdout.")
@click.option("--force", is_flag=True, help="Rebuild also where nothing has changed since the last time.")
@pass_globals
def rebuild(chosen: Globals, as_json: bool, force: bool) -> None:
    """Work out what you like from your history and compute the steering vector.

    Progress goes to stderr. Ctrl+c cancels; what was scored is kept and not scored again.
    """

    async def work() -> None:
        async with opened(chosen) as assistant:
            rebuilt = await _rebuilt(assistant, force)
            if as_json:
                print_json(_as_json(assistant, rebuilt))
            else:
                click.echo(summary(rebuilt.profile, rebuilt.unchanged))
                click.echo(f"  {_from_now_on(rebuilt.profile, assistant.chat.steering())}")
                _tell_influence(assistant, rebuilt.profile)

    run(work())


def summary(profile: Profile, unchanged: bool = False) -> str:
    """The outcome in a few lines."""
    from assistant.profile.left_out import left_out_in_words
    from assistant.visible import sanitise

    o = profile.outcome
    low, high = o.gain_interval
    judging = "texts held back, replies you liked among them" if o.held_back_liked else "texts held back"
    lines = [
        f"Version {profile.version}" + (" (nothing has changed since it was made)" if unchanged else ""),
        f"  learned from   {count(o.items, 'text')}, {count(o.tokens_scored + o.tokens_cached, 'token')}, "
        f"{o.preference_tokens} of them preference-driven",
        f"  left out       {left_out_in_words(o)}",
        f"  description    {profile.description or '(none)'}",
        f"  phrases        {', '.join(phrase.text for phrase in o.phrases[:10]) or '(none)'}",
        f"  form           {o.form}: {o.method}, blocks {', '.join(map(str, o.layers))}, dose {o.dose:.3f}",
        f"  gain           {o.gain_nats_per_token:+.3f} nats/token on {o.held_back} {judging} "
        f"(95 % interval {low:+.3f} to {high:+.3f}; random vector {o.gain_random:+.3f}, "
        f"another author's {o.gain_other:+.3f})",
        f"  harm           KL {o.harm.kl:.3f} nats, neutral NLL {o.harm.nll_rise:+.3f}, "
        f"accuracy {-o.harm.accuracy_drop:+.1f} points, repetition {o.harm.repetition_rise:+.0%}, "
        f"length {o.harm.length_change:+.0%}",
        *_by_strength(o),
        f"  took           {sum(o.seconds.values()):.0f} s",
    ]
    if o.limitation:
        lines.append(f"  note           {o.limitation}")
    if not o.recommended:
        lines.append(f"  Not switched on by itself: {o.reason}.")
    return sanitise("\n".join(lines))  # phrases and description may hold what a pasted text held


def _from_now_on(profile: Profile, status: SteeringStatus) -> str:
    if not profile.in_use:
        return f"It is not in use; `assistant profile use {profile.version}` puts it to use."
    if not status.on or status.version != profile.version:
        return f"It is in use and steers no reply now ({status.note})."
    return "Replies are steered from the next message on."


def _by_strength(outcome: Outcome) -> list[str]:
    """Gain and distance at every strength that was measured, one a line."""
    lines: list[str] = []
    for point in outcome.curve:
        name = "" if lines else "by strength"
        limit = "" if point.strength <= outcome.safe_strength else f"  past the safe limit {outcome.safe_strength:g}"
        lines.append(f"  {name:<13}  {point.strength:<4g}  gain {point.gain:+z.3f}  KL {point.kl:.3f}{limit}")
    return lines


def _tell_influence(assistant: Assistant, profile: Profile) -> None:
    """The texts that the vector hangs on most."""
    from assistant.commands.influence import influence_lines
    from assistant.profile.influence import influential

    found = influential(profile.outcome, assistant.preferences.items())[:INFLUENTIAL_SHOWN]
    if found:
        click.echo("  moved the vector most (`assistant profile influence`; `exclude ITEM` takes one out):")
        for line in influence_lines(found):
            click.echo(f"    {line}")


async def _rebuilt(assistant: Assistant, force: bool) -> Rebuilt:
    from assistant.errors import RebuildError
    from assistant.rebuild.runner import Rebuilt

    found: Rebuilt | None = None
    told = not sys.stderr.isatty()  # a person wants to know before; a program reads lines of one kind
    async with aclosing(assistant.rebuild.run(force=force)) as events:
        async for event in events:
            if isinstance(event, Rebuilt):
                found = event
            else:
                if not told:
                    click.echo((await assistant.rebuild.expectation()).words, err=True)
                told = True
                _show(event)
    if sys.stderr.isatty():
        click.echo(err=True)
    if found is None:
        raise RebuildError("the rebuild ended without an outcome; try again")
    return found


def _show(progress: Progress) -> None:
    left = "" if progress.seconds_left is None else f", about {progress.seconds_left:.0f} s left"
    line = (
        f"[{progress.stage_number}/{progress.stages}] {progress.stage} {progress.done}/{progress.total}"
        f" ({progress.seconds:.0f} s{left})"
    )
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{line}", nl=False, err=True)
    elif progress.done in (0, progress.total):
        click.echo(line, err=True)


def _as_json(assistant: Assistant, rebuilt: Rebuilt) -> dict[str, Any]:
    profile = rebuilt.profile
    outcome = asdict(profile.outcome) | {"description": profile.description}
    if rebuilt.unchanged:
        outcome |= {
            "seconds": dict.fromkeys(profile.outcome.seconds, 0.0),
            "tokens_scored": 0,
            "tokens_cached": profile.outcome.tokens_scored + profile.outcome.tokens_cached,
        }
    return outcome | {
        "version": profile.version,
        "unchanged": rebuilt.unchanged,
        "in_use": profile.in_use,
        "model_fingerprint": profile.model_fingerprint,
        "vector_path": assistant.profiles.vector_path(profile),
    }
