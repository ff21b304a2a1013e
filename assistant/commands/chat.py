"""`assistant chat`: one question, one streamed reply."""

from __future__ import annotations

import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assistant.commands.context import Globals, opened, pass_globals, print_json, run
from assistant.commands.parameters import Number

if TYPE_CHECKING:
    from assistant.app import Assistant
    from assistant.conversation.answering import ReplyOptions
    from assistant.engine.protocol import TokenLogprob


@click.command()
@click.argument("prompt", required=False)
@click.option("--no-steer", is_flag=True, help="Reply as the model is, without profile and vectors.")
@click.option("--strength", type=Number(0, 2), help="Strength of the profile; 1 = calibrated, 0 = --no-steer.")
@click.option("--system", help="System prompt in place of the one in the settings.")
@click.option("--model", help="GGUF file, or the name of one in the models folder.")
@click.option("--max-tokens", type=click.IntRange(1), help="Longest reply in tokens.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="The same seed and settings give the same reply.")
@click.option("--temperature", type=Number(0, 5), help="0 always takes the likeliest token.")
@click.option("--stop", multiple=True, metavar="TEXT", help="End the reply before this text; may be given repeatedly.")
@click.option(
    "--schema",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON schema that the reply must follow.",
)
@click.option(
    "--logprobs", type=click.IntRange(0, 100), help="With --json: each token's log-probability and the N likeliest."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of streaming text.")
@pass_globals
def chat(
    chosen: Globals,
    prompt: str | None,
    no_steer: bool,
    strength: float | None,
    system: str | None,
    model: str | None,
    max_tokens: int | None,
    seed: int | None,
    temperature: float | None,
    stop: tuple[str, ...],
    schema: Path | None,
    logprobs: int | None,
    as_json: bool,
) -> None:
    """Ask once and stream the reply to stdout; what is piped in is added to PROMPT.

    The question and the reply are kept in the history like any other.
    """
    if no_steer and strength:
        raise click.UsageError("--no-steer and --strength contradict each other")
    if logprobs is not None and not as_json:
        raise click.UsageError("--logprobs needs --json")
    piped = "" if sys.stdin.isatty() else _read_pipe()
    asked = _question(prompt, piped)
    given = {
        "max_tokens": max_tokens,
        "seed": seed,
        "temperature": temperature,
        "stop": stop or None,
        "json_schema": _read_schema(schema) if schema else None,
        "logprobs": logprobs,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    run(_chat(chosen, asked, piped, model, 0.0 if no_steer else strength, system, changes, as_json))


def _question(prompt: str | None, piped: str) -> str:
    asked = "\n\n".join(part for part in (prompt, piped) if part and part.strip())
    if not asked:
        raise click.UsageError("nothing is asked: give a PROMPT or pipe one in")
    return asked


def _read_schema(path: Path) -> str:
    from assistant.errors import AssistantError

    try:
        schema = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AssistantError(f"{path}: cannot be read as a JSON schema ({error})") from error
    if not schema.strip():
        raise AssistantError(f"{path}: is empty; write a JSON schema into it, or leave --schema out")
    return schema


def _read_pipe() -> str:
    from assistant.errors import AssistantError

    try:
        return sys.stdin.buffer.read().decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise AssistantError(
            f"standard input is not UTF-8 ({error.reason} at byte {error.start}); convert it first"
        ) from error


async def _chat(
    chosen: Globals,
    asked: str,
    piped: str,
    model: str | None,
    strength: float | None,
    system: str | None,
    changes: dict[str, Any],
    as_json: bool,
) -> None:
    from dataclasses import replace

    from assistant.conversation.answering import ReplyOptions

    async with opened(chosen, model) as assistant:
        assistant.chat.pastes.pasted(piped, into="")  # a document to ask about, as a rule
        sampling = replace(assistant.sampling.as_sampling(), **changes)
        await _answer(assistant, asked, ReplyOptions(strength, system, sampling), as_json)


async def _answer(assistant: Assistant, asked: str, options: ReplyOptions, as_json: bool) -> None:
    from assistant.conversation.reply import ReplyFinished
    from assistant.records import Piece
    from assistant.visible import sanitise

    await assistant.chat.start()
    conversation = assistant.chat.new_conversation()
    shown = sanitise if sys.stdout.isatty() else str
    tokens: list[TokenLogprob] = []
    async with aclosing(assistant.chat.send(conversation.id, asked, options)) as events:
        async for event in events:
            match event:
                case Piece() if not as_json:
                    click.echo(shown(event.text), nl=False)
                case Piece():
                    tokens += event.tokens
                case ReplyFinished() if as_json:
                    told = {"tokens": tokens} if options.sampling and options.sampling.logprobs is not None else {}
                    reply = {"conversation": conversation.id, "message": event.message, "stats": event.stats}
                    print_json({**reply, **told})
                case ReplyFinished():
                    click.echo()
