"""Chat templates: turns in, text to tokenize out, rendered the way transformers' `apply_chat_template` does
it.

The rendered text is tokenized with control tokens parsed. So that nobody can forge one by writing
"<|im_end|>" in a message, every control token's text inside a message is fenced off before rendering, and
comes back as a part of its own that is tokenized as plain text. Messages without such text are rendered and
tokenized exactly as in transformers.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, TypeAlias

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import Node
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from assistant.engine.protocol import Turn
from assistant.engine.time_limit import TooLongError, at_most
from assistant.errors import EngineError
from steering.prompts import PLAIN_TEMPLATE

PLAIN_STOPS = ("\nUser:", "\nAssistant:")

LONGEST_SECONDS = 10.0
"""That a template may compute; real ones take milliseconds."""
LONGEST_PROMPT = 2**24
"""Characters, beyond what the turns hold: no template says so much of its own."""

_Message: TypeAlias = dict[str, str]
"""As a template sees it: role and content."""

_RENDER_ERRORS = (
    *(jinja2.TemplateError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError),
    *(SyntaxError, RecursionError, MemoryError, TooLongError),
)


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a prompt: `parse_special` where control tokens in it are meant, False for a mere mention."""

    text: str
    parse_special: bool


class ChatTemplate:
    """One model's chat template; a model without one gets `PLAIN_TEMPLATE` and its stop strings.

    Attributes:
        stops: strings that end a reply, besides the model's end tokens.

    Raises: EngineError: the template is not valid Jinja.
    """

    def __init__(self, source: str | None, bos: str, eos: str, control_texts: Collection[str]) -> None:
        self.stops: tuple[str, ...] = () if source else PLAIN_STOPS
        self._tokens = {"bos_token": bos, "eos_token": eos}
        self._control = _alternatives(control_texts)
        try:
            with at_most(LONGEST_SECONDS):
                self._template = _environment().from_string(source or PLAIN_TEMPLATE)
        except _RENDER_ERRORS as error:
            raise EngineError(f"the model's chat template cannot be read ({error}); choose another model") from error

    def render(self, turns: Sequence[Turn]) -> list[Part]:
        """The prompt up to where the next reply begins.

        A reply that goes on is not rendered: its text follows this prompt as plain text, exactly as it was
        drawn. A template that knows no system turn gets its text at the head of the first user turn; one that
        wants user and assistant in turn gets them so, also where a reply is missing or nothing comes before one.

        Raises: EngineError: the template refuses these turns.
        """
        fence = f"\ufdd0{secrets.token_hex(8)}\ufdd1"
        messages = [{"role": turn.role, "content": self._fenced(turn.text, fence)} for turn in turns]
        pieces = self._rendered(messages).split(fence)
        return [Part(text, index % 2 == 0) for index, text in enumerate(pieces) if text]

    def _fenced(self, text: str, fence: str) -> str:
        return self._control.sub(lambda found: f"{fence}{found[0]}{fence}", text) if self._control else text

    def _rendered(self, messages: list[_Message]) -> str:
        refusal: Exception | None = None
        for tried in _readings(messages):
            try:
                return self._apply(tried)
            except _RENDER_ERRORS as error:
                refusal = refusal or error
                if isinstance(error, TooLongError):
                    break
        raise EngineError(
            f"the model's chat template refuses this conversation ({type(refusal).__name__}); choose another model"
        ) from refusal

    def _apply(self, messages: list[_Message]) -> str:
        with at_most(LONGEST_SECONDS):
            prompt = self._template.render(
                messages=messages, tools=None, documents=None, add_generation_prompt=True, **self._tokens
            )
        if len(prompt) > LONGEST_PROMPT + sum(len(message["content"]) for message in messages):
            raise ValueError("it says too much of its own")
        return prompt


def _readings(messages: list[_Message]) -> list[list[_Message]]:
    """The conversation as it is, then as templates want it that refuse it so; each once."""
    ways = (messages, _without_system(messages), _in_turn(messages), _in_turn(_without_system(messages)))
    return [way for place, way in enumerate(ways) if way not in ways[:place]]


def _without_system(messages: list[_Message]) -> list[_Message]:
    """The system turn's text at the head of the first user turn, or as one where the conversation begins otherwise."""
    if not messages or messages[0]["role"] != "system":
        return messages
    system, *rest = messages
    if not rest or rest[0]["role"] != "user":
        return [{"role": "user", "content": system["content"]}, *rest]
    return [_joined(system, rest[0], "user"), *rest[1:]]


def _in_turn(messages: list[_Message]) -> list[_Message]:
    """User and assistant in turn, the user first: neighbours of one role are joined, a reply to nothing gets a turn."""
    found: list[_Message] = []
    for message in messages:
        before = found[-1]["role"] if found else ""
        if before == message["role"]:
            found[-1] = _joined(found[-1], message, before)
        elif before in ("", "system") and message["role"] == "assistant":
            found += [{"role": "user", "content": ""}, message]
        else:
            found.append(message)
    return found


def _joined(first: _Message, second: _Message, role: str) -> _Message:
    return {"role": role, "content": f"{first['content']}\n\n{second['content']}"}


def _alternatives(texts: Collection[str]) -> re.Pattern[str] | None:
    longest_first = sorted(texts, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


class _Generation(Extension):
    """`{% generation %}` marks replies for training; here its body is rendered as it stands."""

    tags = {"generation"}  # noqa: RUF012  # jinja2 declares it so

    def parse(self, parser: Parser) -> list[Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = _strftime_now
    return environment


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _strftime_now(pattern: str) -> str:
    return datetime.now().strftime(pattern)
