"""Text of models, people and files in every command and on the screens: shown, never obeyed by the terminal."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from assistant.app import Assistant
from assistant.records import MessageState, Origin, Phrase
from tests.assistant.conftest import COMMAND, command_environment, prepare_home
from tests.assistant.made import add_profile, vector_bytes
from tests.storage.exports import chatgpt, node, written
from tests.tiny_models import write_tiny_model, write_vector
from tests.trust.terminal import PLACEHOLDER, Terminal

EVIL = (
    "ferns \x1b]0;title\x07"
    " \x1b]52;c;Y2xpcA==\x07 \x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\ \x1b[2J\x1b[5;5H "
    "\x9b31m\x9d0;title\x9c \x1bP1q\x1b\\ \u202egnol\u202c\u2066x\u2069 \u200bzero \x08\x08\x7f \r over\u2028line "
    "[bold red]markup[/] [@click=app.quit]quit[/] [link=http://evil.example]x[/link] [x](http://evil.example)"
)
ALLOWED = re.compile(r"\x1b\[[0-9;]*[mK]")
"""What the commands themselves write: colours, and the end of a line that is kept up to date."""
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u2028\u202a-\u202e\u2066-\u2069]")
EVIL_NAME = "e\x1b]0;t\x07\u202ev\nil"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home where everything that has words has hostile ones."""
    folder = tmp_path_factory.mktemp("evil")
    model = write_tiny_model(folder / "tiny.gguf")
    model.write_bytes(model.read_bytes().replace(b"Tiny", b"\x1b]0;", 1))  # the name in the file
    home = prepare_home(folder / "home", model, length=4)
    assistant = Assistant.open(home)
    store = assistant.store
    talk = store.conversations.create(EVIL)
    own = store.messages.add(talk.id, None, "user", EVIL, state=MessageState.COMPLETE, origin=Origin.TYPED)
    store.messages.add(talk.id, own.id, "assistant", EVIL, state=MessageState.COMPLETE, origin=Origin.GENERATED)
    item = assistant.preferences.add_text(EVIL)
    phrases = (Phrase(EVIL, 3.5, 2, ("writing:1",)),)
    assistant.profiles.use(
        add_profile(
            assistant, vector_bytes(folder), phrases=phrases, description=EVIL, reason=EVIL, learned=(item.id,)
        ).version
    )
    assistant.vectors.add(write_vector(folder / "v.gguf", {1: np.ones(64)}, hint=EVIL[:200]), "calm")
    assistant.store.close()
    with closing(sqlite3.connect(home / "data" / "history.db")) as connection:
        connection.execute("UPDATE messages SET model = ?, reasoning = ?", (EVIL, EVIL))
        connection.commit()
    written(folder / f"{EVIL_NAME}.json", chatgpt({"a": node(None, "user", EVIL)}, title=EVIL))
    (folder / f"{EVIL_NAME}.gguf").write_bytes(b"GGUF" + EVIL.encode("utf-8", "replace"))
    return home


COMMANDS = (
    *("history list", "history show 1", "history list --json", "history show 1 --json", "search ferns"),
    *("search ferns --json", "export --format markdown", "export --format jsonl", "export", "profile show"),
    *("profile show --json", "profile list", "profile explain", "profile explain writing:1", "vectors list"),
    *("vectors list --json", "models list", "models list --json", "models check", "cache show", "paths"),
    *("doctor --privacy", "doctor --privacy --json", "forget --conversation 1", "forget --search ferns"),
    *("chat EVIL", "chat EVIL --json", "compare EVIL", "compare EVIL --json", "import FILE.json --dry-run"),
    *("import FILE.json --yes", "models check FILE.gguf", "models add FILE.gguf", "vectors add FILE.gguf"),
    *("profile export FILE.gguf", "backup FILE.json", "export -o FILE.json", "history show 99", "search EVIL"),
    *(
        "vectors add FILE.none",
        "models use EVIL",
        "models remove EVIL",
        "vectors remove EVIL",
        "--model FILE.gguf chat x",
    ),
    *("--home FILE.json history list", "profile explain EVIL", "import EVIL", "restore FILE.json", "rebuild"),
)


def arguments(words: str, home: Path) -> list[str]:
    name = str(home.parent / EVIL_NAME)
    evil = EVIL.replace("\0", "")
    return [evil if word == "EVIL" else word.replace("FILE", name) for word in words.split(" ")]


def seen(home: Path, words: str) -> str:
    """What a command writes to a terminal, answers `n` to what it asks, and ends."""
    command = [*COMMAND, "--home", str(home), *arguments(words, home)]
    with Terminal(command, command_environment()) as terminal:
        terminal.wait(lambda: terminal.ended() or b"[y/N]" in terminal.written)
        if not terminal.ended():
            terminal.keys("n\r")
            terminal.wait(terminal.ended)
        terminal.drain()
        return terminal.written.decode("utf-8", "replace")


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_writes_nothing_that_a_terminal_obeys(home: Path, words: str):
    output = seen(home, words)
    assert "Traceback" not in output
    left = ALLOWED.sub("", output.replace("\r\n", "\n")).replace("\r", "")
    found = FORBIDDEN.search(left)
    assert not found, left[max(0, found.start() - 60) : found.end() + 60]


@pytest.mark.parametrize("words", ["history list --json", "history show 1 --json"])
def test_json_on_a_terminal_still_says_exactly_what_was_said(home: Path, words: str):
    [*_, last] = json.loads(seen(home, words))
    assert EVIL in (last.get("title"), last.get("text"))


def test_the_screens_write_nothing_of_it_either(home: Path):
    command = [*COMMAND, "--home", str(home)]
    with Terminal(command, {**command_environment(), "COLORTERM": "truecolor"}) as terminal:
        terminal.wait(lambda: PLACEHOLDER in terminal.written)
        before = len(terminal.written)
        terminal.keys("\x06")  # search
        terminal.keys("ferns")
        terminal.wait(lambda: b"title" in terminal.written[before:])
        terminal.keys("\r")
        terminal.wait(lambda: b"gnol" in terminal.written[before:])
        assert terminal.quit() == 0
        output = terminal.written.decode("utf-8", "replace")
    commands = set(re.findall("\x1b[\\]P_^X][0-9]*", output))
    assert commands <= {"\x1b]22"}, "the pointer's shape; no title, clipboard, link or string of commands"
    assert re.search("[\x80-\x9f\u200b\u202a-\u202e\u2066-\u2069\x08\x7f]", output) is None
