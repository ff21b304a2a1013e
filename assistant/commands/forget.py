"""`assistant forget`: remove things for good."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from assistant.commands.context import Globals, confirm, opened, pass_globals, print_json, run
from assistant.figures import count

if TYPE_CHECKING:
    from assistant.history.forgetting import Forgetting
    from assistant.records import Doomed, Forgotten


@click.command()
@click.option("--conversation", "conversations", type=int, multiple=True, metavar="ID", help="A whole conversation.")
@click.option(
    "--message",
    "messages",
    type=int,
    multiple=True,
    metavar="ID",
    help="A message with everything below it: its replies, and what you said to those.",
)
@click.option(
    "--item",
    "items",
    multiple=True,
    metavar="ID",
    help="Something that was learned from, as `profile explain` names it: message:12 or writing:3.",
)
@click.option(
    "--before",
    type=click.DateTime(),
    help="All messages and texts from before this date; conversations that went on begin there then.",
)
@click.option(
    "--search",
    "text",
    metavar="TEXT",
    help="All messages (with everything below them), texts, titles, tags, vetoes and lines of descriptions with TEXT.",
)
@click.option(
    "--profiles",
    type=click.Choice(["stale", "remove"]),
    default="stale",
    show_default=True,
    help="Profile versions that learned from it: keep them, marked as stale, or remove them too.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print what was forgotten as JSON.")
@pass_globals
def forget(
    chosen: Globals,
    conversations: tuple[int, ...],
    messages: tuple[int, ...],
    items: tuple[str, ...],
    before: datetime | None,
    text: str | None,
    profiles: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Forget for good: from the history, the search, what was learned, and every byte of its files.

    Says what would go and asks first. There is no undo; automatic backups go too. Files that you exported or backed up
    yourself are yours to delete.
    """
    remove = profiles == "remove"

    def choose(forgetting: Forgetting) -> Doomed:
        if conversations:
            return forgetting.conversations(conversations)
        if messages:
            return forgetting.messages(messages)
        if items:
            return forgetting.items(items)
        if before is not None:
            return forgetting.before(before.astimezone())
        return forgetting.containing(text or "")

    ways = (conversations, messages, items, before, text)
    if sum(way not in ((), None) for way in ways) != 1:
        raise click.UsageError("say what to forget in one way: --conversation, --message, --item, --before or --search")

    async def work() -> None:
        async with opened(chosen) as assistant:
            doomed = choose(assistant.forgetting)
            expected = assistant.forgetting.forecast(doomed)
            if not yes and not expected.nothing:
                for line in _told(expected, remove):
                    click.echo(line, err=True)
                confirm("Forget it for good?")
            found = assistant.forgetting.forget(doomed, remove_versions=remove)
            if as_json:
                print_json(found)
            else:
                click.echo(f"Forgotten: {_counts(found)}.")
            for line in _after(found, remove):
                click.echo(line, err=True)

    run(work())


def _counts(found: Forgotten) -> str:
    """What goes, in words."""
    kinds = (
        (found.conversations, "conversation"),
        (found.messages, "message"),
        (found.writings, "text of yours", "texts of yours"),
        (found.titles, "title"),
        (found.mentions, "tag, veto or line of a description", "tags, vetoes and lines of descriptions"),
    )
    parts = [count(*entry) for entry in kinds if entry[0]]
    return ", ".join(parts) or "nothing"


def _told(expected: Forgotten, remove: bool) -> list[str]:
    """What the question is about."""
    lines = [f"This would forget {_counts(expected)}."]
    if expected.profiles:
        versions = count(len(expected.profiles), "profile version")
        fate = "removed" if remove else "marked as stale, without what only this told its description"
        lines.append(f"{versions} learned from it ({_numbers(expected.profiles)}): {fate}.")
    if expected.profile_in_use is not None and remove:
        lines.append(f"Version {expected.profile_in_use} is in use: steering would be off.")
    if expected.backups:
        lines.append(f"{count(expected.backups, 'automatic backup')} would go, as the text may be in there.")
    if expected.copies_in:
        lines.append(
            f"Forked conversations keep a copy: {_numbers(expected.copies_in)}; forget them too if you want to."
        )
    return lines


def _after(found: Forgotten, remove: bool) -> list[str]:
    """What the person should know now."""
    lines = []
    if found.profile_in_use is not None and remove:
        lines.append(
            f"Profile version {found.profile_in_use} was in use: steering is off; `assistant rebuild` learns anew."
        )
    elif found.profile_in_use is not None:
        lines.append(f"Profile version {found.profile_in_use} is in use and stale; `assistant rebuild` learns anew.")
    if not found.erased:
        lines.append("Another assistant is using the history: the bytes are overwritten when it is next opened.")
    return lines


def _numbers(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))
