"""Files made to break importers: whatever comes in, entries or one line of refusal come out.

Every run of hypothesis tries new cases; what once broke something is kept as a case of its own in the other tests.
"""

from __future__ import annotations

import json
import sqlite3
import zipfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from storage.entries import ParsedConversation, ReadOptions
from storage.errors import InvalidImportError
from storage.importers import FORMATS, decoding, files, json_stream, jsonl, read_entries, senders, sqlite_file
from storage.importers.mail_text import from_html, own_words
from storage.records import ImportedText
from tests.storage.exports import chatgpt, node
from tests.storage.test_import_databases import ELIA, LLM, LLM_TREE, OTERM, made

ME = "a@b.c"
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

KEYS = st.sampled_from(
    [
        *("mapping", "id", "message", "author", "role", "content", "content_type", "parts", "text", "create_time"),
        *("parent", "children", "metadata", "recipient", "weight", "title", "current_node", "conversation_id"),
        *("thoughts", "chat_messages", "uuid", "sender", "created_at", "parent_message_uuid", "type", "input"),
        *("messages", "prompt", "private_assistant_history", "conversation", "source", "source_id", "active", "tags"),
        *("stats", "vectors"),
    ]
)
WORDS = st.sampled_from(["user", "assistant", "human", "text", "code", "thinking", "a", "b", "", "tool", "all"])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | WORDS
)
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | WORDS, inner, max_size=5), max_leaves=25
)
NODES = st.fixed_dictionaries(
    {"message": JSON | st.fixed_dictionaries({"author": JSON, "content": JSON, "create_time": JSON})},
    optional={"parent": WORDS | JSON, "children": st.lists(WORDS | JSON) | JSON},
)
CHATGPT = st.fixed_dictionaries({"mapping": st.dictionaries(WORDS, NODES | JSON, max_size=6)}, optional={"title": JSON})
CLAUDE = st.fixed_dictionaries(
    {
        "chat_messages": st.lists(
            st.fixed_dictionaries(
                {"sender": WORDS, "content": JSON | st.lists(st.dictionaries(KEYS, JSON)), "text": JSON},
                optional={"uuid": JSON, "parent_message_uuid": WORDS},
            )
            | JSON,
            max_size=5,
        )
    }
)
OWN = st.just({"private_assistant_history": 1}) | st.fixed_dictionaries(
    {"conversation": st.dictionaries(KEYS, JSON | st.lists(st.dictionaries(KEYS, JSON)))}
)
LINES = st.fixed_dictionaries({"role": JSON, "content": JSON}) | st.fixed_dictionaries({"messages": JSON}) | JSON


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


def survives(path: Path, file_format: str | None = None) -> None:
    """Read a file to its end or to a refusal; what comes can be stored."""
    try:
        for entry in read_entries(path, ReadOptions(path.parent, frozenset({ME})), file_format):
            if isinstance(entry, ImportedText):
                assert entry.text.strip()
                entry.text.encode()
            if isinstance(entry, ParsedConversation):
                names: set[str | None] = {None}
                for message in entry.messages:
                    assert message.parent in names
                    assert message.source_id not in names
                    names.add(message.source_id)
                    message.text.encode()
                assert entry.active in names
    except InvalidImportError as error:
        assert "\n" not in str(error)


def mangled(data: bytes, cuts: list[tuple[int, bytes]]) -> bytes:
    for place, new in cuts:
        at = place % (len(data) + 1)
        data = data[:at] + new + data[at + len(new) // 2 :]
    return data


CUTS = st.lists(st.tuples(st.integers(0, 10**6), st.binary(max_size=12)), max_size=6)


@FUZZ
@given(st.sampled_from(sorted(FORMATS)), st.binary(max_size=300))
@example("jsonl", b"\xff\xfe{\x00")
@example("mail", b"From \n")
def test_any_bytes(folder: Path, file_format: str, data: bytes):
    path = folder / "any.bin"
    path.write_bytes(data)
    survives(path, file_format)


@FUZZ
@given(st.sampled_from([".json", ".jsonl", ".eml", ".mbox", ".txt", ".zip", ".db", ""]), st.binary(max_size=300))
def test_any_bytes_under_any_name(folder: Path, suffix: str, data: bytes):
    path = folder / f"any{suffix}"
    path.write_bytes(data)
    survives(path)


@FUZZ
@given(st.lists(CHATGPT | CLAUDE | OWN | JSON, max_size=4), CUTS, st.sampled_from(["utf-8", "utf-16", "latin-1"]))
@pytest.mark.parametrize("file_format", [None, "chatgpt", "claude", "assistant"])
def test_json_of_any_shape(folder: Path, file_format: str | None, exports: list[Any], cuts: Any, encoding: str):
    path = folder / "any.json"
    text = json.dumps(exports, ensure_ascii=encoding != "utf-8")
    path.write_bytes(mangled(text.encode(encoding, "surrogatepass"), cuts))
    survives(path, file_format)


@FUZZ
@given(st.lists(LINES, max_size=5), CUTS)
def test_json_lines_of_any_shape(folder: Path, lines: list[Any], cuts: Any):
    path = folder / "any.jsonl"
    path.write_bytes(mangled("\n".join(map(json.dumps, lines)).encode(), cuts))
    survives(path)


HEADERS = st.sampled_from(
    [
        *(f"From: {ME}", "From: <<@", "From: \xe9\xff <a@b.c>", "Date: never", "Subject: =?utf-8?q?=ZZ?="),
        *("Date: Mon, 99 Xxx 99999 99:99:99 +9999", "Content-Type: text/html", "Content-Type: message/rfc822"),
        *("Content-Type: multipart/mixed; boundary=x", "Content-Type: text/plain; charset=\xff", "Content-Type: ;"),
        *("Content-Transfer-Encoding: base64", "Content-Transfer-Encoding: quoted-printable"),
        "Content-Type: text/plain; format=flowed; charset*=utf-8''%ff",
    ]
)
BODY = st.lists(
    st.sampled_from(
        ["--x", "--x--", "<p>", "> quoted", "On a, b <c@d.e> wrote:", "=FF=", "-- ", "\0", "é", "text of mine"]
    )
    | st.text(max_size=20),
    max_size=12,
).map("\n".join)


@FUZZ
@given(st.lists(st.tuples(st.lists(HEADERS, max_size=5), BODY), min_size=1, max_size=3), CUTS, st.booleans())
def test_mails_of_any_shape(folder: Path, mails: list[tuple[list[str], str]], cuts: Any, many: bool):
    path = folder / ("any.mbox" if many else "any.eml")
    texts = ("\n".join(headers) + "\n\n" + body for headers, body in mails)
    text = "\n\n".join("From x\n" + mail for mail in texts) if many else next(texts)
    path.write_bytes(mangled(text.encode("utf-8", "surrogatepass"), cuts))
    survives(path)
    with suppress(InvalidImportError):
        senders(path, ReadOptions(folder))


@FUZZ
@given(st.text(max_size=400) | BODY)
def test_any_text_of_a_mail(text: str):
    own_words(text)
    with suppress(RecursionError):
        own_words(from_html(text))


SLOW = [
    "On ",
    "On a wrote:\n",
    "\n",
    "\xa0\n",
    "> ",
    "> a\n",
    "From: a\n",
    "Am ",
    "--\n",
    "_" * 40 + "\n",
    "\n====",
    "====\n\n",
    "Sent from ",
]


@pytest.mark.parametrize("end", ["", "\nwords"])
@pytest.mark.parametrize("piece", SLOW)
def test_repetition_does_not_stop_the_cutting_of_mails(piece: str, end: str):
    own_words(piece * (99_000 // len(piece)) + end)


TAGS = ["<!--", "<!", "<?", "<a ", "<a b='", "</", "<script>", "<title>", "<x/>", "&#", "<![CDATA[", "<ul>", "<"]


@pytest.mark.parametrize("piece", TAGS)
def test_repetition_does_not_stop_the_reading_of_html(piece: str):
    with suppress(RecursionError):
        from_html(piece * (200_000 // len(piece)))


VALUES = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text() | st.binary()
NAMES = st.text(min_size=1, max_size=12) | st.just("conversations.json")


@FUZZ
@given(st.sampled_from([LLM, LLM + LLM_TREE, OTERM, ELIA]), CUTS)
def test_damaged_databases(folder: Path, script: str, cuts: Any):
    path = folder / "any.db"
    path.unlink(missing_ok=True)
    made(path, script)
    path.write_bytes(mangled(path.read_bytes(), cuts))
    survives(path)


@FUZZ
@given(
    st.sampled_from([("llm", LLM), ("llm", LLM_TREE), ("oterm", OTERM), ("elia", ELIA)]),
    st.lists(
        st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text() | st.binary(), min_size=12, max_size=12
    ),
    st.data(),
)
def test_databases_with_any_values(folder: Path, kind: tuple[str, str], values: list[Any], data: st.DataObject):
    path = folder / "values.db"
    path.unlink(missing_ok=True)
    made(path, kind[1])
    with closing(sqlite3.connect(path)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        table = data.draw(st.sampled_from([name for name in tables if not name.startswith("sqlite_")]))
        columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
        cleaned = [v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for v in values]
        try:
            marks = ", ".join("?" * len(columns))
            connection.execute(f'INSERT INTO "{table}" VALUES ({marks})', (cleaned * 2)[: len(columns)])
            connection.commit()
        except sqlite3.IntegrityError:
            pass
    survives(path, kind[0])


@FUZZ
@given(st.dictionaries(NAMES, st.binary(max_size=80), max_size=3), CUTS)
def test_archives_of_any_shape(folder: Path, members: dict[str, bytes], cuts: Any):
    path = folder / "any.zip"
    good = json.dumps([chatgpt({"a": node(None, "user", "x")})])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conversations-0.json", good)
        for name, data in members.items():
            if name.isascii() and name.isprintable():
                archive.writestr(name, data)
    path.write_bytes(mangled(path.read_bytes(), cuts))
    survives(path)


WORST = {
    "one string": (".json", b'[{"mapping": {}, "title": "' + b"x" * 3_000_000, "too large to be read"),
    "many values": (".json", b"[[" + b"[]," * 2000, "more than 1,000 values"),
    "one line": (".jsonl", b'{"prompt": "", "text": "' + b"x" * 100_000, "longer than 0 MiB"),
    "one text": (".txt", b"word " * 20_000, "larger than 0 MiB"),
}


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "MAX_ENTRY", 200_000)
    monkeypatch.setattr(json_stream, "MAX_VALUES", 1000)
    for module in (files, jsonl, decoding, sqlite_file):
        monkeypatch.setattr(module, "MAX_TEXT", 1 << 16)


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("name", WORST)
def test_what_would_fill_the_memory_is_refused(folder: Path, name: str):
    suffix, data, complaint = WORST[name]
    path = folder / f"large{suffix}"
    path.write_bytes(data)
    with pytest.raises(InvalidImportError, match=complaint):
        list(read_entries(path, ReadOptions(folder)))


@pytest.mark.usefixtures("small_limits")
def test_a_database_with_a_value_that_would_fill_the_memory_is_refused(folder: Path):
    path = folder / "large.db"
    with closing(sqlite3.connect(made(path, OTERM))) as connection:
        connection.execute("UPDATE message SET text = zeroblob(100000)")
        connection.commit()
    with pytest.raises(InvalidImportError, match="is damaged, or not laid out as expected"):
        list(read_entries(path, ReadOptions(folder)))
