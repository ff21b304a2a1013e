"""`assistant doctor`, `assistant paths`: what is here and whether it works."""

from __future__ import annotations

import sys

import click

from assistant.commands.context import Globals, pass_globals, print_json, run


@click.command()
@click.option("--privacy", is_flag=True, help="Show what lies where, who can read it, and what was sent.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_globals
def doctor(chosen: Globals, privacy: bool, as_json: bool) -> None:
    """Check home, history, model, engine, steering and what a rebuild needs; exit code 1 if anything fails.

    The model that a rebuild learns with is compared with the one that chats; the first time it is converted for that.
    """
    from assistant.doctor import examine
    from assistant.errors import AssistantError
    from assistant.visible import sanitise

    if privacy:
        from assistant.privacy_report import examine_privacy

        checks = run(examine_privacy(chosen.home, chosen.model))
    else:
        waiting = _Waiting()
        checks = run(examine(chosen.home, chosen.model, waiting.show))
        waiting.clear()
    if as_json:
        print_json(checks)
    else:
        for check in checks:
            click.echo(f"{'ok  ' if check.ok else 'FAIL'}  {check.name:<11} {sanitise(check.detail)}")
        if privacy and sys.platform == "linux":
            click.echo("\nTo see it for yourself, cut the network off; all but downloads works: unshare -rn assistant")
    if not all(check.ok for check in checks):
        raise AssistantError("something needs attention, see above")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_globals
def paths(chosen: Globals, as_json: bool) -> None:
    """Print where settings, history, models and cache lie."""
    from assistant.paths import resolve_paths

    found = resolve_paths(chosen.home)
    named = {
        "settings": found.settings,
        "history": found.database,
        "profiles": found.profiles,
        "models": found.models,
        "cache": found.cache,
    }
    if as_json:
        print_json(named)
        return
    for name, path in named.items():
        click.echo(f"{name:<9} {path}")


class _Waiting:
    """One line on stderr for a check that takes its time: kept up to date on a terminal, else written once."""

    def __init__(self) -> None:
        self._terminal, self._shown = sys.stderr.isatty(), False

    def show(self, seconds: float) -> None:
        line = "comparing what learns with what chats (the first time the model is converted)"
        if self._terminal:
            click.echo(f"\r\x1b[K{line}: {seconds:.0f} s", nl=False, err=True)
        elif not self._shown:
            click.echo(f"{line} …", err=True)
        self._shown = True

    def clear(self) -> None:
        if self._terminal and self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)
