"""`assistant compare`: two replies to one question, steered and as the model is, or of two models."""

from __future__ import annotations

import sys
from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from assistant.commands.context import Globals, opened, pass_globals, print_json, run

if TYPE_CHECKING:
    from assistant.app import Assistant
    from assistant.records import Message


@click.command()
@click.argument("prompt")
@click.option("--with", "other", metavar="MODEL", default="", help="Compare with this model instead, unsteered.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_globals
def compare(chosen: Globals, prompt: str, other: str, as_json: bool) -> None:
    """Ask once and print two replies: steered by your profile, and as the model is.

    Both are kept in the history, side by side.
    """
    if not prompt.strip():
        raise click.UsageError("nothing is asked: give a PROMPT")
    run(_compare(chosen, prompt, other, as_json))


async def _compare(chosen: Globals, prompt: str, other: str, as_json: bool) -> None:
    from assistant.profile.steering import steering_words
    from assistant.visible import sanitise

    async with opened(chosen) as assistant:
        conversation = assistant.chat.new_conversation()
        try:
            replies = await _replies(assistant, conversation.id, prompt, other)
        finally:
            if not assistant.chat.messages(conversation.id):
                assistant.chat.delete(conversation.id)
        if as_json:
            print_json({"conversation": conversation.id, "replies": replies})
            return
        for reply in replies:
            words = steering_words(reply.profile_version, reply.strength, reply.vectors)
            click.echo(f"── {reply.model}, {f'steered {words}' if words else 'not steered'}")
            click.echo(f"{sanitise(reply.text)}\n")


async def _replies(assistant: Assistant, conversation_id: int, prompt: str, other: str) -> list[Message]:
    """Both replies, side 0 first; how far they are goes to stderr."""
    from assistant.conversation.reply import ReplyFinished
    from assistant.records import Piece

    finished: dict[int, Message] = {}
    written = [0, 0]
    async with aclosing(assistant.chat.compare(conversation_id, prompt, other)) as events:
        async for event in events:
            if isinstance(event, Piece):
                written[event.side] += len(event.text)
                _show(f"writing: {written[0]} and {written[1]} characters")
            elif isinstance(event, ReplyFinished):
                finished[event.stats.side] = event.message
    _show("")
    return [finished[side] for side in sorted(finished)]


def _show(line: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{line}", nl=False, err=True)
