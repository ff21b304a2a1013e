"""Markdown to read: the shown branch of each conversation, then the texts of the person's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from storage.entries import Entry, ParsedConversation, ParsedMessage
from storage.exporters.shown import shown_branch
from storage.records import ImportedText, Origin

_UNTITLED = "Conversation"


def pieces(entries: Iterable[Entry]) -> Iterator[str]:
    """The file, an entry at a time."""
    for entry in entries:
        if isinstance(entry, ParsedConversation):
            yield _conversation(entry)
        elif isinstance(entry, ImportedText):
            asked = f"*{' '.join(entry.prompt.split())}*\n\n" if entry.prompt.strip() else ""
            yield f"# A text of yours\n\n{asked}{entry.text.strip()}\n\n"


def _conversation(conversation: ParsedConversation) -> str:
    title = " ".join(conversation.title.split()) or _UNTITLED
    began = conversation.created_at
    when = f"*{began.astimezone():%Y-%m-%d %H:%M}*\n\n" if began else ""
    return f"# {title}\n\n{when}" + "".join(map(_message, shown_branch(conversation)))


def _message(message: ParsedMessage) -> str:
    if message.role == "user":
        who = "You"
    else:
        who = "Reply" if message.origin is not Origin.EDITED else "Reply, in your words"
    return f"## {who}\n\n{message.text.strip()}\n\n"
