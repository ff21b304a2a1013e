"""Slash commands: the one table that completion, help and palette are drawn from, and how a text is read by it."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """A command of the prompt.

    Attributes:
        name: as it is written after the slash.
        help: what it does, in a few words.
        argument: what may follow, "" where nothing does; every argument can be left out.
        keyed: a key does the same, so that the palette has it already.
        chat: it is about a conversation, and nothing can be done before that is begun.
    """

    name: str
    help: str
    argument: str = ""
    keyed: bool = False
    chat: bool = False

    @property
    def usage(self) -> str:
        """How it is written."""
        return f"/{self.name} [{self.argument}]" if self.argument else f"/{self.name}"


COMMANDS = (
    SlashCommand("new", "Begin a new chat", keyed=True),
    SlashCommand("model", "Choose the model that answers", "NAME"),
    SlashCommand("system", "What the model is told first", "TEXT or off"),
    SlashCommand("steer", "Switch steering, or set its strength", "0.8, on, off"),
    SlashCommand("compare", "Two replies side by side: steered or not", "TEXT", keyed=True),
    SlashCommand("regenerate", "Another reply to the last message", chat=True),
    SlashCommand("continue", "Go on with a reply that was cut or stopped", chat=True),
    SlashCommand("stop", "Stop the reply, keep what came", keyed=True),
    SlashCommand("like", "Rate the last reply up", chat=True),
    SlashCommand("dislike", "Rate the last reply down", chat=True),
    SlashCommand("copy", "Copy the last reply, or its code", "code", chat=True),
    SlashCommand("title", "Name the conversation", "TEXT", chat=True),
    SlashCommand("tag", "Tag the conversation, commas between tags", "TAGS", chat=True),
    SlashCommand("pin", "Keep the conversation at the head of the list, or no longer", chat=True),
    SlashCommand("archive", "Take the conversation out of the list, or back in", chat=True),
    SlashCommand("fork", "Go on in a copy of the conversation", chat=True),
    SlashCommand("search", "Search all that was said", "WORDS", keyed=True),
    SlashCommand("import", "Bring in conversations, mails or texts from a file", "PATH"),
    SlashCommand("export", "Write the conversation to a file", "PATH", chat=True),
    SlashCommand("delete", "Delete the conversation; can be undone for ten minutes", chat=True),
    SlashCommand("undo", "Take the last deletion back"),
    SlashCommand("forget", "Forget the conversation for good", chat=True),
    SlashCommand("editor", "Write in an editor of your own", keyed=True),
    SlashCommand("settings", "Settings, and what was learned", keyed=True),
    SlashCommand("help", "All keys and commands", keyed=True),
    SlashCommand("quit", "Quit", keyed=True),
)
BY_NAME = {command.name: command for command in COMMANDS}

_COMMAND = re.compile(r"/([A-Za-z][\w-]*)(?:\s+(.*))?\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Said:
    """A text for the model."""

    text: str


@dataclass(frozen=True, slots=True)
class Ordered:
    """A command with what follows it."""

    command: SlashCommand
    argument: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A slash with a word that is no command."""

    name: str


def read(text: str) -> Said | Ordered | Unknown:
    """What a written text is: "/word" is a command; after a blank, as "//word" or as a path it is for the model."""
    if text.startswith("//"):
        return Said(text[1:].strip())
    if text.strip() == "/":
        return Unknown("")
    found = _COMMAND.fullmatch(text)
    if found is None:
        return Said(text.strip())
    name, argument = found[1].lower(), (found[2] or "").strip()
    return Ordered(BY_NAME[name], argument) if name in BY_NAME else Unknown(found[1])
