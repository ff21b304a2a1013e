"""Run inside a mount namespace: every command on a small disk with ever less room; prints what came of each as JSON.

`python -m tests.trust.full_disk FOLDER`, where FOLDER is an empty mounted disk of a few megabytes.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.assistant.conftest import COMMAND, command_environment

FREE_KIB = (0, 8, 64, 400)


def commands(folder: Path, name: str) -> tuple[tuple[str, ...], ...]:
    return (
        ("history", "list"),
        ("search", "bread"),
        ("chat", "How do I keep bread fresh?"),
        ("import", str(folder.parent / "texts.jsonl"), "--yes"),
        ("export", "-o", str(folder / "all.json"), "--force"),
        ("backup", str(folder / "copy.db"), "--force"),
        ("profile", "export", str(folder / "mine.gguf")),
        ("vectors", "add", str(folder.parent / "v.gguf"), "--name", name),
        ("vectors", "strength", "calm", "0.5"),
        ("forget", "--search", "linen", "--yes"),
        ("doctor", "--privacy"),
    )


def fill(folder: Path, free_kib: int) -> None:
    """Leave so much room on the disk and no more."""
    with (folder / "ballast").open("wb", buffering=0) as ballast:
        try:
            while ballast.write(bytes(4096)):
                pass
        except OSError:
            ballast.truncate(max(0, ballast.tell() - free_kib * 1024))


def said(home: Path) -> list[str]:
    with closing(sqlite3.connect(home / "data" / "history.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [row[0] for row in connection.execute("SELECT text FROM messages WHERE role = 'user' ORDER BY id")]


def main() -> None:
    folder = Path(sys.argv[1])
    home = folder / "home"
    found = []
    for free in FREE_KIB:
        for words in commands(folder, f"v{free}"):
            before = said(home)
            fill(folder, free)
            result = subprocess.run(
                [*COMMAND, "--home", str(home), *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=command_environment(),
                timeout=120,
                check=False,
            )
            (folder / "ballast").unlink()
            told = {"free": free, "words": " ".join(words[:2]), "code": result.returncode}
            kept = words[0] == "forget" or said(home)[: len(before)] == before
            found.append({**told, "error": result.stderr.decode("utf-8", "replace"), "kept": kept})
    print(json.dumps(found))


if __name__ == "__main__":
    main()
