"""ChatGPT: `conversations.json`, alone or in the archive that the service sends.

Kept are what the person and the assistant said on every branch: text, what was spoken (as text), code that the
assistant ran with its output, and its thoughts as reasoning. Left out, and counted: what was hidden (system
messages, custom instructions), pictures and sound, and what other tools returned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from storage.entries import Entry, ParsedConversation, ReadOptions, Skipped
from storage.importers.json_stream import elements
from storage.importers.markdown import fenced
from storage.importers.tree import Node, messages_of
from storage.importers.values import digest, id_of, mapping_of, moment_of, text_of, title_from
from storage.records import MessageRole

SOURCE = "chatgpt"

_BROKEN = "conversations that cannot be read"
_HIDDEN = "hidden messages (system, custom instructions)"
_MEDIA = "pictures, sounds and files"
_TOOLS = "tool results other than of code"
_CAPTIONS = "captions of reasoning"


def read(path: Path, options: ReadOptions) -> Iterator[Entry]:
    """The conversations of an export, and what is left out of each.

    Raises: InvalidImportError: unreadable, not JSON, broken off, or an archive that plays tricks.
    """
    for element in elements(path):
        yield from conversation_of(element)


def conversation_of(export: Any) -> Iterator[Entry]:
    """One conversation as the export holds it."""
    mapping = export.get("mapping") if isinstance(export, dict) else None
    if not isinstance(mapping, dict):
        yield Skipped(_BROKEN)
        return
    skipped: Counter[str] = Counter()
    default_model = text_of(export.get("default_model_slug")) or None
    nodes = [_node(key, raw, parent, default_model, skipped) for key, raw, parent in _linked(mapping)]
    messages, active = messages_of(nodes, id_of(export.get("current_node")))
    yield from (Skipped(what, count) for what, count in (+skipped).items())
    if not messages:
        yield Skipped("conversations without a message")
        return
    yield ParsedConversation(
        source=SOURCE,
        source_id=id_of(export.get("conversation_id")) or id_of(export.get("id")) or digest(*sorted(mapping)[:1]),
        title=text_of(export.get("title")) or title_from(messages[0].text),
        messages=messages,
        active=active,
        created_at=moment_of(export.get("create_time")),
        updated_at=moment_of(export.get("update_time")),
        pinned=export.get("is_starred") is True,
        archived=export.get("is_archived") is True,
    )


def _linked(mapping: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], str | None]]:
    """Each node with its parent: the one it names, else the one that names it among its children."""
    nodes = {key: raw for key, raw in mapping.items() if isinstance(raw, dict)}
    named_by = {
        child: key
        for key, raw in nodes.items()
        if isinstance(raw.get("children"), list)
        for child in raw["children"]
        if isinstance(child, str)
    }
    for key, raw in nodes.items():
        parent = raw.get("parent")
        yield key, raw, parent if isinstance(parent, str) else named_by.get(key)


def _node(key: str, raw: Mapping[str, Any], parent: str | None, model: str | None, skipped: Counter[str]) -> Node:
    message = raw.get("message")
    if not isinstance(message, dict):
        return Node(key, parent, "system")
    author, metadata = mapping_of(message.get("author")), mapping_of(message.get("metadata"))
    content = mapping_of(message.get("content"))
    role, text, reasoning = _said(message, author.get("role"), metadata, content, skipped)
    when = moment_of(message.get("create_time"))
    made_by = text_of(metadata.get("model_slug")) or model
    return Node(key, parent, role, text, reasoning, when, made_by if role == "assistant" else None)


def _said(
    message: Mapping[str, Any],
    role: Any,
    metadata: Mapping[str, Any],
    content: Mapping[str, Any],
    skipped: Counter[str],
) -> tuple[MessageRole, str, str]:
    """Role, text and reasoning of a message; both texts are empty where nothing is kept."""
    kind = content.get("content_type", "text")
    hidden = metadata.get("is_visually_hidden_from_conversation") is True or message.get("weight") == 0
    if role == "system" or hidden or kind == "user_editable_context":
        skipped[_HIDDEN] += bool(_written(content, Counter()) or kind == "user_editable_context")
        return "system", "", ""
    if role == "user" and kind in ("text", "multimodal_text"):
        return "user", _written(content, skipped), ""
    if role == "tool" and kind == "execution_output":
        return "assistant", fenced(text_of(content.get("text")), ""), ""
    if role == "assistant":
        return "assistant", *_replied(message, kind, content, skipped)
    skipped[_TOOLS if role == "tool" else f"messages of an unknown kind ({kind!a:.40})"] += 1
    return "system", "", ""


def _replied(
    message: Mapping[str, Any], kind: Any, content: Mapping[str, Any], skipped: Counter[str]
) -> tuple[str, str]:
    """Text and reasoning of a message of the assistant's."""
    recipient = message.get("recipient")
    if kind == "thoughts":
        return "", _thoughts(content.get("thoughts"))
    if kind == "reasoning_recap":
        skipped[_CAPTIONS] += 1
        return "", ""
    text = _written(content, skipped)
    if kind == "code" or (isinstance(recipient, str) and recipient != "all"):
        language = text_of(content.get("language"))
        known = language if language != "unknown" else ""
        return fenced(text, known or ("python" if recipient == "python" else "")), ""
    return text, ""


def _written(content: Mapping[str, Any], skipped: Counter[str]) -> str:
    """The text of a content and of its parts; parts that are none are counted."""
    parts = content.get("parts")
    if not isinstance(parts, list):
        return text_of(content.get("text")) or text_of(content.get("content")) or text_of(content.get("result"))
    texts = []
    for part in parts:
        text = text_of(part.get("text")) if isinstance(part, dict) else text_of(part)
        skipped[_MEDIA] += isinstance(part, dict) and not text
        texts.append(text)
    return "\n\n".join(text for text in texts if text)


def _thoughts(thoughts: Any) -> str:
    steps = [step for step in thoughts if isinstance(step, dict)] if isinstance(thoughts, list) else []
    told = (f"{text_of(step.get('summary'))}\n\n{text_of(step.get('content'))}".strip() for step in steps)
    return "\n\n".join(step for step in told if step)
