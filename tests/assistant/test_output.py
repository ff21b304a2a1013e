"""What the command line writes: where it cannot be written, where nobody reads it, and in which letters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.assistant.conftest import CommandLine, command_environment, one_line, prepare_home, query

WORDS = "日本 – Gruß"
INTERRUPTED_IMPORT = """
import sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
from assistant.__main__ import main
main()
"""


@pytest.fixture(scope="module")
def cli(tmp_path_factory, tiny) -> CommandLine:
    """A home whose path, like what was said in it, no 8-bit encoding holds."""
    folder = tmp_path_factory.mktemp("output")
    cli = CommandLine(prepare_home(folder / "日本", tiny))
    said = {"messages": [{"role": "user", "content": WORDS}, {"role": "assistant", "content": "long " * 5000}]}
    (folder / "said.jsonl").write_text(json.dumps(said), encoding="utf-8")
    assert cli("import", folder / "said.jsonl").returncode == 0
    return cli


@pytest.mark.parametrize(
    "arguments",
    ["--help", "paths", "history list", "history show 1 --json", "search long --json", "export", "chat hello"],
)
def test_output_that_cannot_be_written_is_one_line(cli, arguments):
    with Path("/dev/full").open("w") as full, cli.start(*arguments.split(), stdout=full) as process:
        said = process.stderr.read().decode()
    assert (process.returncode, said) == (1, "error: the output cannot be written (No space left on device)\n")


@pytest.mark.parametrize(
    ("arguments", "closed"),
    [("export", (1,)), ("chat hello", (1,)), ("chat hello", (0, 1, 2)), ("search long", (0, 1, 2)), ("export", (2,))],
)
def test_closed_streams_lead_nowhere(cli, arguments, closed):
    database = cli.home / "data" / "history.db"
    result = cli(*arguments.split(), preexec_fn=lambda: [os.close(number) for number in closed])
    assert result.returncode == 0
    assert b"Traceback" not in result.stderr
    assert database.read_bytes().startswith(b"SQLite format 3"), "nothing was printed into it"
    assert query(cli.home, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("export", WORDS),
        ("export --format markdown", WORDS),
        ("export --format jsonl", WORDS),
        ("search 日本", WORDS),
        ("search 日本 --json", WORDS),
        ("history list", WORDS),
        ("history list --json", WORDS),
        ("history show 1", WORDS),
        ("history show 1 --json", WORDS),
        ("paths", "日本"),
        ("paths --json", "日本"),
    ],
)
def test_output_is_utf_8_whatever_the_locale_says(cli, arguments, words):
    result = cli(*arguments.split(), environment={"PYTHONIOENCODING": "latin-1"})
    assert (result.returncode, result.stderr) == (0, b"")
    assert words in result.stdout.decode("utf-8")


def test_what_no_utf_8_holds_is_replaced(tmp_path):
    odd = CommandLine(tmp_path / "odd\udce9")
    assert b"odd?" in odd("paths").stdout
    assert json.loads(odd("paths", "--json").stdout)["cache"].endswith("odd\udce9/cache")


def test_ctrl_c_before_anything_is_imported_is_130_without_a_traceback():
    program = [sys.executable, "-c", INTERRUPTED_IMPORT]
    result = subprocess.run(program, capture_output=True, env=command_environment(), check=False)
    assert (result.returncode, result.stdout, result.stderr) == (130, b"", b"")


def test_the_program_begins_where_ctrl_c_is_heard(cli):
    with cli.start("paths", "--json") as direct:
        expected = direct.stdout.read()
    program = [sys.executable, "-P", "-m", "assistant", "--home", str(cli.home), "paths", "--json"]
    assert subprocess.run(program, capture_output=True, env=command_environment(), check=True).stdout == expected
    described = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert 'assistant = "assistant.__main__:main"' in described


def test_a_question_without_an_answer_does_nothing_and_says_so(cli, tmp_path):
    assert cli("backup", tmp_path / "kept.db").returncode == 0
    for arguments in (("restore", tmp_path / "kept.db"), ("forget", "--conversation", "1")):
        unanswered = cli(*arguments)
        assert (unanswered.returncode, unanswered.stdout) == (130, b"")
        assert unanswered.stderr.decode().splitlines()[-1] == "not done"
        assert cli(*arguments, stdin="n\n").stderr.endswith(b"not done\n")
    assert query(cli.home, "SELECT count(*) FROM messages WHERE conversation_id = 1") == [(2,)]


def test_a_backup_is_looked_at_before_it_is_asked_about(cli, tmp_path):
    assert "is not there, or is not a file" in one_line(cli("restore", tmp_path / "none.db"))
    assert "is not there, or is not a file" in one_line(cli("restore", tmp_path))
    assert "is damaged, or no history" in one_line(cli("restore", cli.home.parent / "said.jsonl"))
