"""`assistant import`: every kind of bad file gets one line, exit code 1, and leaves the history as it was."""

from __future__ import annotations

import json

import pytest

from tests.assistant.conftest import one_line, query

GOOD = json.dumps({"prompt": "What now?", "text": "One text of mine."})
WRITINGS = "SELECT prompt, text FROM writings ORDER BY id"
BAD = {
    "no-json.jsonl": (f"{GOOD}\nnot json\n".encode(), "line 2: is not JSON"),
    "list.jsonl": (f"{GOOD}\n\n[1]\n".encode(), "line 3: is not a JSON object"),
    "no-text.jsonl": (f'{GOOD}\n{{"prompt": "x"}}\n'.encode(), 'line 2: has no "text"'),
    "no-prompt.jsonl": (f'{GOOD}\n{{"text": "x"}}\n'.encode(), 'line 2: has no "prompt"'),
    "empty-text.jsonl": (b'{"prompt": "x", "text": "  "}\n', 'line 1: has no "text"'),
    "number.jsonl": (b'{"prompt": "x", "text": 3}\n', 'line 1: has no "text"'),
    "latin1.jsonl": (f"{GOOD}\n".encode() + '{"prompt": "", "text": "ü"}\n'.encode("latin-1"), "line 2: is not UTF-8"),
    "latin1.txt": ("caf\xe9\n".encode("latin-1"), "line 1: is not UTF-8"),
    "utf16.txt": ("some text".encode("utf-16"), "is UTF-16"),
    "binary.md": (b"text\n\0\1\2", "line 2: holds NUL bytes"),
    "empty.jsonl": (b"", "is empty"),
    "blank.txt": (b" \n\t\n", "is empty"),
    "unknown.docx": (b"PK", "unknown kind of file '.docx'"),
    "no-suffix": (b"text", "unknown kind of file ''"),
    "missing.txt": (None, "cannot be read"),
    "missing.jsonl": (None, "cannot be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_file_is_one_line_and_nothing_is_imported(cli, tmp_path, name):
    data, words = BAD[name]
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    result = cli("import", path)
    assert (result.returncode, result.stdout) == (1, b"")
    line = one_line(result)
    assert str(path) in line
    assert words in line
    assert query(cli.home, WRITINGS) == []


def test_empty_folder_and_a_folder_with_one_bad_file(cli, tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    assert "holds no .txt, .md, .markdown, .eml, .mbox files" in one_line(cli("import", folder))
    (folder / "a.txt").write_text("A good text of mine.")
    (folder / "b.md").write_bytes(b"\xff\xfe")
    assert "b.md" in one_line(cli("import", folder))
    assert query(cli.home, WRITINGS) == []


def test_good_files_are_imported_once(cli, tmp_path):
    (tmp_path / "own.jsonl").write_text(f"{GOOD}\n{GOOD}\n", encoding="utf-8-sig")
    (tmp_path / "note.md").write_text("# A note\r\nof mine\r\n", newline="")
    arguments = ("import", tmp_path / "own.jsonl", tmp_path / "note.md")
    first = cli(*arguments)
    assert first.returncode == 0
    assert [line.rpartition(": ")[2] for line in first.stdout.decode().splitlines()] == [
        "1 text imported (1 known already)",
        "1 text imported",
    ]
    again = cli(*arguments)
    assert again.stdout.count(b"0 texts imported") == 2
    assert query(cli.home, WRITINGS) == [("What now?", "One text of mine."), ("", "# A note\nof mine")]


def test_good_file_before_a_bad_one_is_told(cli, tmp_path):
    (tmp_path / "good.txt").write_text("A good text of mine.")
    result = cli("import", tmp_path / "good.txt", tmp_path / "bad.txt")
    assert result.returncode == 1
    assert result.stdout.decode() == f"{tmp_path}/good.txt: 1 text imported\n"
    assert str(tmp_path / "bad.txt") in one_line(result)


def test_name_that_is_no_text_can_be_imported(cli, tmp_path):
    path = tmp_path / "caf\udce9.txt"
    path.write_text("A good text of mine.")
    result = cli("import", path, environment={"PYTHONIOENCODING": "utf-8:strict"})
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"1 text imported" in result.stdout
    assert query(cli.home, WRITINGS) == [("", "A good text of mine.")]
