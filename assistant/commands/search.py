"""`assistant search`: find what was said."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from assistant.commands.context import Globals, opened, pass_globals, print_json, run

if TYPE_CHECKING:
    from assistant.records import SearchHit


@click.command()
@click.argument("query", nargs=-1, required=True)
@click.option("--after", type=click.DateTime(), help="Only what was said on this date or later.")
@click.option("--before", type=click.DateTime(), help="Only what was said before this date.")
@click.option("--model", "model_name", help="Only replies of this model, as its file is called.")
@click.option("--rated", type=click.Choice(["up", "down", "any"]), help="Only what you rated so.")
@click.option("--role", type=click.Choice(["user", "assistant"]), help="Only your words, or only replies.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Show at most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_globals
def search(
    chosen: Globals,
    query: tuple[str, ...],
    after: datetime | None,
    before: datetime | None,
    model_name: str | None,
    rated: str | None,
    role: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Find messages and titles with all these words, your own words first.

    The last word may be unfinished, and so is a word with a star: toma* sun. Words in double quotes are found one
    after the other: assistant search '"tomatoes love sun"'. Each line shows the numbers of the conversation and of the
    message.
    """

    async def work() -> None:
        from assistant.records import SearchFilter

        async with opened(chosen) as assistant:
            only = SearchFilter(_local(after), _local(before), model_name, rated, role)  # type: ignore[arg-type]
            hits = assistant.history.search(" ".join(query), only, limit)
            if as_json:
                print_json(hits)
                return
            for hit in hits:
                click.echo(_line(hit))
            if not hits:
                click.echo("Nothing found.", err=True)

    run(work())


def _local(moment: datetime | None) -> datetime | None:
    """A date that was typed, as midnight here."""
    return None if moment is None else moment.astimezone()


def _line(hit: SearchHit) -> str:
    who = {"user": "you", "assistant": "reply", "system": "system", None: "title"}[hit.role]
    message = "" if hit.message_id is None else str(hit.message_id)
    when = hit.created_at.astimezone().strftime("%Y-%m-%d")
    return f"{hit.conversation_id:>6} {message:>7}  {when}  {who:6}  {_marked(hit)}"


def _marked(hit: SearchHit) -> str:
    from assistant.visible import sanitise

    pieces, end = [], 0
    for start, stop in hit.marks:
        pieces += [sanitise(hit.snippet[end:start]), click.style(sanitise(hit.snippet[start:stop]), bold=True)]
        end = stop
    return "".join([*pieces, sanitise(hit.snippet[end:])])
