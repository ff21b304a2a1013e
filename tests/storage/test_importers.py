from __future__ import annotations

import json
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.entries import Entry, ReadOptions
from storage.errors import InvalidImportError, StorageError
from storage.importers import read_entries
from storage.importers.decoding import read_utf8
from storage.importers.values import moment_of
from storage.records import ImportedText


def read_texts(path: Path) -> list[Entry]:
    return list(read_entries(path, ReadOptions(path.parent)))


def written(folder: Path, name: str, content: bytes) -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


def test_json_lines(tmp_path: Path):
    file = written(
        tmp_path,
        "mine.jsonl",
        b"\xef\xbb\xbf"
        b'{"prompt": "Why?", "text": "Because\\n.", "more": [1]}\r\n'
        b"\n   \n"
        b'{"prompt": "", "text": " spaced "}\n'
        b'{"prompt": null, "text": "a\xe2\x80\xa8b"}\n'
        b'{"prompt": "\\ud83d\\ude00", "text": "lone \\ud800 here"}',
    )
    assert read_texts(file) == [
        ImportedText("Why?", "Because\n.", None, 1),
        ImportedText("", " spaced ", None, 4),
        ImportedText("", "a\u2028b", None, 5),
        ImportedText("😀", "lone \ufffd here", None, 6),
    ]


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", -62135596800])
def test_a_date_at_the_edge_means_no_time(value):
    """Go's and .NET's "no time"; in other time zones it would be no date at all."""
    assert moment_of(value) is None


@pytest.mark.parametrize("value", ["0002-06-01T00:00:00Z", "9998-06-01", 0, 1.7e12])
def test_any_other_date_can_be_shown_everywhere(value):
    moment = moment_of(value)
    assert moment is not None
    for hours in (-12, 14):
        assert moment.astimezone(timezone(timedelta(hours=hours))) == moment


GOOD_LINE = b'{"prompt": "", "text": "good"}\n'
BAD_LINES = [
    (b"not json", "line 2: is not JSON"),
    (b'{"text": "cut', "line 2: is not JSON"),
    (b'["text"]', "line 2: is not a JSON object"),
    (b"null", "line 2: is not a JSON object"),
    (b'{"prompt": "x"}', 'line 2: has no "text"'),
    (b'{"text": 5}', 'line 2: has no "text"'),
    (b'{"text": " \\n"}', 'line 2: has no "text"'),
    (b'{"text": "x"}', 'line 2: has no "prompt"'),
    (b'{"text": "x", "prompt": 5}', 'line 2: has a "prompt"'),
    (b'{"text": "\xff"}', "line 2: is not UTF-8"),
    (b'{"text": "\xed\xa0\x80"}', "line 2: is not UTF-8"),
    (b'{"text": "x"}\0', "line 2: holds NUL"),
    (b"[" * 100_000, "line 2: holds JSON too large or too deep"),
    (b'{"text": ' + b"9" * 10_000 + b"}", "line 2: holds JSON too large or too deep"),
]


@pytest.mark.parametrize(("line", "complaint"), BAD_LINES, ids=[str(line[:20]) for line, _ in BAD_LINES])
def test_a_bad_line_is_named(tmp_path: Path, line: bytes, complaint: str):
    file = written(tmp_path, "mine.jsonl", GOOD_LINE + line + b"\n" + GOOD_LINE)
    with pytest.raises(InvalidImportError, match=rf"mine\.jsonl, {complaint}") as raised:
        read_texts(file)
    assert "\n" not in str(raised.value)
    assert isinstance(raised.value, StorageError)


BAD_FILES = [
    ("a.txt", b"", "is empty"),
    ("a.txt", b"\xef\xbb\xbf \n\t\n", "is empty"),
    ("a.jsonl", b"", "is empty"),
    ("a.jsonl", b"\n\n", "is empty"),
    ("a.txt", "Grüße".encode("latin-1"), "line 1: is not UTF-8"),
    ("a.md", b"fine\nfine\ncaf\xe9", "line 3: is not UTF-8"),
    ("a.txt", "Hi".encode("utf-16"), "is UTF-16"),
    ("a.txt", b"\xfe\xff\x00H", "is UTF-16"),
    ("a.txt", b"PNG\0\0", "holds NUL"),
    ("a.pdf", b"%PDF", r"unknown kind of file '\.pdf'"),
    ("a", b"text", "unknown kind of file ''"),
]


@pytest.mark.parametrize(("name", "content", "complaint"), BAD_FILES)
def test_a_bad_file_is_named(tmp_path: Path, name: str, content: bytes, complaint: str):
    with pytest.raises(InvalidImportError, match=complaint) as raised:
        read_texts(written(tmp_path, name, content))
    assert str(tmp_path / name) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_file(tmp_path: Path):
    with pytest.raises(InvalidImportError, match=r"gone\.txt: cannot be read \(No such file"):
        read_texts(tmp_path / "gone.txt")


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.MARKDOWN"])
def test_plain_text(tmp_path: Path, name: str):
    file = written(tmp_path, name, b"\xef\xbb\xbf\r\n# Title\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n")
    assert read_texts(file) == [ImportedText("", "# Title\n\nGrüße")]


def test_a_folder_is_all_its_text_files_by_name(tmp_path: Path):
    for name in ("b.md", "a.txt", "c.markdown"):
        written(tmp_path, name, f"text of {name}".encode())
    written(tmp_path, "photo.png", b"\0")
    (tmp_path / "folder.txt").mkdir()
    assert [text.text for text in read_texts(tmp_path)] == [f"text of {n}" for n in ("a.txt", "b.md", "c.markdown")]
    written(tmp_path, "d.txt", b"\xff\xff")
    with pytest.raises(InvalidImportError, match=r"d\.txt, line 1: is not UTF-8"):
        read_texts(tmp_path)


def test_a_folder_with_nothing_in_it(tmp_path: Path):
    with pytest.raises(InvalidImportError, match=r"holds no \.txt, \.md, \.markdown, \.eml, \.mbox files"):
        read_texts(tmp_path)


def test_a_file_name_that_is_not_unicode_can_be_shown(tmp_path: Path):
    file = tmp_path / "caf\udce9.txt"
    with pytest.raises(InvalidImportError) as raised:
        read_utf8(file)
    str(raised.value).encode()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.text(st.characters()), st.text(st.characters()).filter(str.strip)), min_size=1))
def test_any_json_text_comes_through(tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]):
    lines = "\n".join(json.dumps({"prompt": prompt, "text": text}) for prompt, text in pairs)
    file = written(tmp_path_factory.getbasetemp(), "any.jsonl", lines.encode())
    expected = [
        tuple(part.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for part in pair) for pair in pairs
    ]
    assert [(text.prompt, text.text) for text in read_texts(file)] == expected
