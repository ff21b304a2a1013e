from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.storage.exports import conversations, skipped, written

ROOT = "00000000-0000-4000-8000-000000000000"


def said(name: str, sender: str, text: str = "", *parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    content = list(parts) or [{"type": "text", "text": text}]
    return {
        "uuid": name,
        "sender": sender,
        "text": text,
        "content": content,
        "created_at": "2024-05-01T10:00:00Z",
    } | fields


def export(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {
        "uuid": "c1",
        "name": "Plants",
        "created_at": "2024-05-01T09:00:00.123456Z",
        "updated_at": "2024-05-02T09:00:00Z",
        "account": {"uuid": "me"},
        "chat_messages": list(messages),
    } | fields


def test_linear_messages_and_parts(tmp_path: Path):
    thinking = {"type": "thinking", "thinking": "Ferns like shade."}
    artifact = {"type": "tool_use", "name": "artifacts", "input": {"content": "print(1)", "language": "python"}}
    search = {"type": "tool_use", "name": "web_search", "input": {"query": "ferns"}}
    result = {"type": "tool_result", "content": [{"type": "text", "text": "a page"}]}
    path = written(
        tmp_path / "conversations.json",
        export(
            said("1", "human", "Where do ferns grow?", attachments=[{"extracted_content": "not mine"}], files=[{}, {}]),
            said(
                "2", "assistant", "old text", thinking, {"type": "text", "text": "In shade."}, search, result, artifact
            ),
            said("3", "human", "Thanks", created_at="2024-05-01T11:00:00Z"),
        ),
    )
    [talk] = conversations(path)
    assert [(m.source_id, m.parent, m.role, m.text, m.reasoning) for m in talk.messages] == [
        ("1", None, "user", "Where do ferns grow?", ""),
        ("2", "1", "assistant", "In shade.\n\n```python\nprint(1)\n```", "Ferns like shade."),
        ("3", "2", "user", "Thanks", ""),
    ]
    assert (talk.source, talk.source_id, talk.title, talk.active) == ("claude", "c1", "Plants", "3")
    assert talk.created_at is not None and talk.created_at.isoformat() == "2024-05-01T09:00:00.123456+00:00"
    assert skipped(path) == {"attached files": 3, "tool calls and their results": 2}


def test_branches(tmp_path: Path):
    path = written(
        tmp_path / "conversations.json",
        export(
            said("1", "human", "One?", parent_message_uuid=ROOT),
            said("2", "assistant", "First.", parent_message_uuid="1"),
            said("3", "assistant", "Second.", parent_message_uuid="1"),
            said("4", "human", "Edited?", parent_message_uuid=ROOT),
            current_leaf_message_uuid="2",
        ),
    )
    [talk] = conversations(path)
    assert [(m.source_id, m.parent) for m in talk.messages] == [("1", None), ("2", "1"), ("3", "1"), ("4", None)]
    assert talk.active == "2"


@pytest.mark.parametrize("content", [None, [], "text", [None, 5, {"type": "text"}]])
def test_old_exports_have_only_text(tmp_path: Path, content: Any):
    [talk] = conversations(written(tmp_path / "c.json", export(said("1", "human", "Plain.", content=content))))
    assert [m.text for m in talk.messages] == ["Plain."]


def test_broken_entries_are_counted(tmp_path: Path):
    unnamed = {"sender": "human", "text": "no id"}
    twice = (said("d", "human", "a"), said("d", "human", "b"))
    path = written(tmp_path / "c.json", export(unnamed, None, {"sender": ["x"]}, *twice))
    [talk] = conversations(path)
    assert [m.text for m in talk.messages] == ["no id", "a"]
    assert skipped(path) == {"messages of an unknown kind": 2}
    assert skipped(written(tmp_path / "d.json", export(said("1", "human", "x")), {"chat_messages": 5}, export())) == {
        "conversations that cannot be read": 1,
        "conversations without a message": 1,
    }


def test_the_archive(tmp_path: Path):
    path = tmp_path / "data-2024.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("conversations.json", json.dumps([export(said("1", "human", "x"))]))
        archive.writestr("users.json", "[]")
    assert [talk.source for talk in conversations(path)] == ["claude"]


def test_a_reply_of_tools_alone_is_not_what_the_export_says_in_its_place(tmp_path: Path):
    search = {"type": "tool_use", "name": "web_search", "input": {"query": "ferns"}}
    path = written(
        tmp_path / "conversations.json",
        export(
            said("1", "human", "Where do ferns grow?"),
            said("2", "assistant", "This block is not supported on your current device yet.", search),
            said("3", "assistant", "In shade."),
        ),
    )
    [talk] = conversations(path)
    assert [message.text for message in talk.messages] == ["Where do ferns grow?", "In shade."]
