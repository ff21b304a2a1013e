from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from storage.entries import ReadOptions
from storage.errors import InvalidImportError
from storage.importers import detect
from tests.storage.exports import chatgpt, conversations, node, skipped, written


def test_all_branches_in_order_of_time(tmp_path: Path):
    mapping = {
        "root": {"parent": None, "children": ["system"], "message": None},
        "system": node("root", "system", "", weight=0.0),
        "q": node("system", "user", "Why is the sky blue?", time=10),
        "a2": node("q", "assistant", "Second answer.", time=30, metadata={"model_slug": "gpt-x"}),
        "a1": node("q", "assistant", "First answer.", time=20),
        "q2": node("a1", "user", "And red?", time=40),
    }
    path = written(tmp_path / "conversations.json", chatgpt(mapping, current_node="q2", default_model_slug="gpt-d"))
    [talk] = conversations(path)
    told = [(m.source_id, m.parent, m.role, m.text, m.model) for m in talk.messages]
    assert told == [
        ("q", None, "user", "Why is the sky blue?", None),
        ("a1", "q", "assistant", "First answer.", "gpt-d"),
        ("a2", "q", "assistant", "Second answer.", "gpt-x"),
        ("q2", "a1", "user", "And red?", None),
    ]
    assert (talk.source, talk.source_id, talk.title, talk.active) == ("chatgpt", "talk-1", "A talk", "q2")
    assert talk.created_at is not None and talk.created_at.timestamp() == 1700000000.0
    assert skipped(path) == {}


def test_content_parts(tmp_path: Path):
    picture = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://x"}
    spoken = {"content_type": "audio_transcription", "text": "say it"}
    thought = {"content_type": "thoughts", "thoughts": [{"summary": "Hm", "content": "because"}]}
    mapping = {
        "u1": node(None, "user", content={"content_type": "multimodal_text", "parts": [picture, "What plant?"]}),
        "t": node("u1", "assistant", content=thought),
        "r": node("t", "assistant", content={"content_type": "reasoning_recap", "content": "Thought for 2 seconds"}),
        "c": node("r", "assistant", recipient="python", content={"content_type": "code", "text": "1+1"}),
        "o": node("c", "tool", content={"content_type": "execution_output", "text": "2"}),
        "a": node("o", "assistant", "It is ", "two."),
        "u2": node("a", "user", content={"content_type": "multimodal_text", "parts": [spoken]}),
        "b": node("u2", "tool", content={"content_type": "tether_browsing_display", "result": "a page"}),
        "i": node("b", "user", "hidden", metadata={"is_visually_hidden_from_conversation": True}),
        "x": node("i", "user", content={"content_type": "user_editable_context", "user_profile": "I am a nurse"}),
        "z": node("x", "user", content={"content_type": "holograms", "parts": ["?"]}),
    }
    path = written(tmp_path / "c.json", chatgpt(mapping, current_node="z"))
    [talk] = conversations(path)
    assert [(m.source_id, m.parent, m.text, m.reasoning) for m in talk.messages] == [
        ("u1", None, "What plant?", ""),
        ("a", "u1", "```python\n1+1\n```\n\n```\n2\n```\n\nIt is\n\ntwo.", "Hm\n\nbecause"),
        ("u2", "a", "say it", ""),
    ]
    assert talk.active == "u2"
    assert skipped(path) == {
        "pictures, sounds and files": 1,
        "captions of reasoning": 1,
        "tool results other than of code": 1,
        "hidden messages (system, custom instructions)": 2,
        "messages of an unknown kind ('holograms')": 1,
    }


BROKEN_TREES = {
    "circle": ({"a": node("b", "user", "one"), "b": node("a", "assistant", "two")}, {"a": None, "b": "a"}),
    "own parent": ({"a": node("a", "user", "one")}, {"a": None}),
    "missing parent": ({"a": node("gone", "user", "one"), "b": node("a", "assistant", "two")}, {"a": None, "b": "a"}),
    "only children": (
        {
            "a": {"children": ["b"], "message": node(None, "user", "one")["message"]},
            "b": {"message": node(None, "assistant", "two")["message"]},
        },
        {"a": None, "b": "a"},
    ),
    "circle below": (
        {"r": node(None, "user", "one"), "a": node("b", "user", "two"), "b": node("a", "user", "three")},
        {"r": None, "a": None, "b": "a"},
    ),
    "null nodes": ({"a": node(None, "user", "one"), "n": None, "m": {"parent": "a", "message": 5}}, {"a": None}),
}


@pytest.mark.parametrize("name", BROKEN_TREES)
def test_broken_links_lose_no_message(tmp_path: Path, name: str):
    mapping, parents = BROKEN_TREES[name]
    export = {"id": "t", "title": None, "mapping": mapping, "current_node": "dangling"}
    [talk] = conversations(written(tmp_path / "c.json", export))
    assert {message.source_id: message.parent for message in talk.messages} == parents
    assert talk.active in parents
    assert talk.title == "one"


def test_a_long_thread_and_odd_times(tmp_path: Path):
    times = [float("1e300"), -1e300, 0.5, 1.7e12, True, "2024-01-01T00:00:00Z", "soon", None, []]
    mapping = {
        str(n): node(str(n - 1) if n else None, "user" if n % 2 == 0 else "assistant", f"message {n}")
        for n in range(5000)
    }
    for n, time in enumerate(times):
        mapping[str(n)]["message"]["create_time"] = time
    [talk] = conversations(written(tmp_path / "c.json", chatgpt(mapping)))
    assert [m.text for m in talk.messages] == [f"message {n}" for n in range(5000)]
    years = [m.created_at and m.created_at.year for m in talk.messages[: len(times)]]
    assert years == [None, None, 1970, 2023, None, 2024, None, None, None]


def test_conversations_that_cannot_be_read_are_counted(tmp_path: Path):
    empty = chatgpt({"r": {"message": None}})
    path = written(tmp_path / "c.json", None, chatgpt({"a": node(None, "user", "x")}), {"mapping": []}, 5, empty)
    assert len(conversations(path)) == 1
    assert skipped(path) == {"conversations that cannot be read": 3, "conversations without a message": 1}


def test_nul_and_lone_surrogates_leave_the_text(tmp_path: Path):
    path = tmp_path / "c.json"
    text = json.dumps([chatgpt({"a": node(None, "user", "a\0b \ud83d\ude00")})])
    path.write_text(text.replace("a\\u0000b", "a\\u0000b\\ud800c"))
    [talk] = conversations(path)
    talk.messages[0].text.encode()
    assert talk.messages[0].text.startswith("ab")
    assert "😀" in talk.messages[0].text


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"[", "is not JSON that can be read, or breaks off"),
        (b"", "is not JSON that can be read, or breaks off"),
        (b"[]", "holds no conversation"),
        (b'[{"a": 1}]', "is JSON of an unknown kind"),
        ('[{"mapping": {}, "title": "é"}]'.encode("utf-16"), "is UTF-16"),
        ('[{"mapping": {}, "title": "é"}]'.encode("latin-1"), "is not UTF-8"),
        (b"[" * 100_000, "nests deeper than 200 levels"),
        (b'{"a":' * 100_000, "nests deeper than 200 levels"),
        (b"[" + b"9" * 5000 + b"]", "is not JSON that can be read"),
    ],
)
def test_what_is_no_export_is_refused_in_words(tmp_path: Path, data: bytes, complaint: str):
    path = tmp_path / "conversations.json"
    path.write_bytes(data)
    with pytest.raises(InvalidImportError, match=complaint) as raised:
        conversations(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_breaks_off_says_after_which_entry(tmp_path: Path):
    path = written(tmp_path / "c.json", *(chatgpt({"a": node(None, "user", "x")}, id=str(n)) for n in range(30)))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InvalidImportError, match=r"c\.json, after entry 29: .* breaks off"):
        conversations(path)


def test_byte_order_mark_and_single_conversation(tmp_path: Path):
    path = tmp_path / "one.json"
    path.write_text(json.dumps(chatgpt({"a": node(None, "user", "x")})), encoding="utf-8-sig")
    assert len(conversations(path)) == 1


def archive(path: Path, *members: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as made:
        for name, data in members:
            made.writestr(name, data)
    return path


def one(name: str) -> bytes:
    return json.dumps([chatgpt({"a": node(None, "user", f"in {name}")}, id=name)]).encode()


def test_the_archive_of_the_service(tmp_path: Path):
    path = archive(
        tmp_path / "export.zip",
        ("export/conversations-001.json", one("second")),
        ("export/conversations-000.json", one("first")),
        ("__MACOSX/export/._conversations-000.json", b"junk"),
        ("export/user.json", b"{"),
        ("export/chat.html", b"<html>"),
    )
    assert detect(path, ReadOptions(tmp_path)) == "chatgpt"
    assert [talk.source_id for talk in conversations(path)] == ["first", "second"]


def test_an_archive_that_was_unpacked(tmp_path: Path):
    folder = tmp_path / "export"
    folder.mkdir()
    for name in ("conversations-000.json", "conversations-001.json"):
        (folder / name).write_bytes(one(name))
    (folder / "user.json").write_text("{")
    assert [talk.source_id for talk in conversations(folder)] == ["conversations-000.json", "conversations-001.json"]


@pytest.mark.parametrize("name", ["../conversations.json", "/etc/conversations.json", "a/../../x.json", "C:\\x.json"])
def test_archives_that_lead_out_are_refused(tmp_path: Path, name: str):
    path = archive(tmp_path / "export.zip", ("conversations.json", one("good")), (name, b"x"))
    with pytest.raises(InvalidImportError, match="leads out of the archive"):
        conversations(path)


def test_links_in_archives_are_refused(tmp_path: Path):
    path = tmp_path / "export.zip"
    link = zipfile.ZipInfo("conversations.json")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(link, "/etc/passwd")
    with pytest.raises(InvalidImportError, match="holds a link"):
        conversations(path)


def test_bombs_are_refused_before_they_unpack(tmp_path: Path):
    path = archive(tmp_path / "export.zip", ("conversations.json", b"[" + b" " * 50_000_000 + b"]"))
    with pytest.raises(InvalidImportError, match="more than 400 times its size"):
        conversations(path)


@pytest.mark.parametrize("cut", [10, 100, 300])
def test_damaged_archives(tmp_path: Path, cut: int):
    whole = archive(tmp_path / "whole.zip", ("conversations.json", one("x") * 3)).read_bytes()
    path = tmp_path / "export.zip"
    for data in (whole[:-cut], whole[:60] + b"\xff" * 20 + whole[80:]):
        path.write_bytes(data)
        with pytest.raises(
            InvalidImportError, match=r"damaged archive|is not JSON|is not UTF-8|leads out|holds no|encrypted"
        ):
            conversations(path)


def test_an_archive_without_conversations(tmp_path: Path):
    path = archive(tmp_path / "export.zip", ("readme.txt", b"hello"))
    with pytest.raises(InvalidImportError, match=r"holds no conversations\.json"):
        conversations(path)


def test_devices_and_pipes_are_not_read(tmp_path: Path):
    with pytest.raises(InvalidImportError, match="is not an ordinary file"):
        conversations(Path("/dev/zero"))
