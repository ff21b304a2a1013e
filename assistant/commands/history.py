"""`assistant history`: look at what was said."""

from __future__ import annotations

import click

from assistant.commands.context import Globals, opened, pass_globals, print_json, run


@click.group()
def history() -> None:
    """Look at your conversations."""


@history.command(name="list")
@click.option("--archived", is_flag=True, help="List the archived ones, and only those.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_globals
def list_conversations(chosen: Globals, archived: bool, as_json: bool) -> None:
    """List conversations, last used first; archived ones with --archived."""
    from assistant.visible import one_line

    async def work() -> None:
        async with opened(chosen) as assistant:
            conversations = assistant.history.conversations(archived=archived)
            if as_json:
                print_json(conversations)
                return
            for conversation in conversations:
                when = conversation.updated_at.astimezone().strftime("%Y-%m-%d %H:%M")
                click.echo(f"{conversation.id:>6}  {when}  {one_line(conversation.title or 'New chat', 80)}")
            if not conversations:
                nothing = "No archived conversations." if archived else "No conversations yet; `assistant` starts one."
                click.echo(nothing, err=True)

    run(work())


@history.command()
@click.argument("conversation", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_globals
def show(chosen: Globals, conversation: int, as_json: bool) -> None:
    """Print the shown branch of a conversation."""
    from assistant.visible import sanitise

    async def work() -> None:
        async with opened(chosen) as assistant:
            messages = assistant.chat.messages(conversation)
            if as_json:
                print_json(messages)
                return
            for message in messages:
                rating = {1: ", rated up", -1: ", rated down"}.get(message.rating, "")
                who = "You" if message.role == "user" else f"Reply{rating}"
                click.echo(click.style(f"{who}:", bold=True))
                click.echo(f"{sanitise(message.text)}\n")

    run(work())
