"""What a slash command that is being written can become."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tui.prompting.slash import BY_NAME, COMMANDS

Thing = TypeVar("Thing")

Arguments = Mapping[str, Callable[[], Sequence[tuple[str, str]]]]
"""For commands by name: what can follow, each with a few words on it."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One way to go on.

    Attributes:
        text: the whole prompt, once this is taken.
        label: how it stands in the list.
        help: a few words on it.
    """

    text: str
    label: str
    help: str


def completions(text: str, arguments: Arguments) -> list[Completion]:
    """The commands that begin as written, then those that hold it; after a command what can follow it."""
    if not text.startswith("/") or text.startswith("//") or "\n" in text:
        return []
    name, blank, begun = text[1:].partition(" ")
    if not blank:
        return [
            Completion(f"/{one.name} " if one.argument else f"/{one.name}", one.usage, one.help)
            for one in _fitting(COMMANDS, name, lambda command: command.name)
        ]
    if name.lower() not in BY_NAME or name.lower() not in arguments:
        return []
    offered = _fitting(arguments[name.lower()](), begun.strip(), lambda argument: argument[0])
    return [Completion(f"/{name} {value}", value, help) for value, help in offered if value != begun.strip()]


def _fitting(things: Sequence[Thing], begun: str, name: Callable[[Thing], str]) -> list[Thing]:
    wanted = begun.casefold()
    fitting = [thing for thing in things if wanted in name(thing).casefold()]
    return sorted(fitting, key=lambda thing: not name(thing).casefold().startswith(wanted))
