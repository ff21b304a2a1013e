"""Everything that a person does with the program, from the import to the export, as real processes in a home."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.assistant.conftest import COMMAND, ROOT, prepare_home
from tests.assistant.test_rebuild import TEXTS
from tests.storage.exports import chatgpt, node, written
from tests.storage.test_import_databases import OTERM, made
from tests.tiny_models import write_tiny_model
from tests.trust.terminal import Terminal, chat_once

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK")
SECONDS = 400


@dataclass
class Session:
    """What was run, where, and what came of it. Nothing in the environment asks for silence: the program must."""

    folder: Path
    prefix: Sequence[str] = ()
    changes: Mapping[str, str] = field(default_factory=dict)
    done: dict[str, subprocess.CompletedProcess[bytes]] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def out(self) -> Path:
        """Where exports and backups go."""
        return self.folder / "out"

    @property
    def environment(self) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if name not in OFFLINE}
        path = os.pathsep.join(filter(None, (self.changes.get("PYTHONPATH"), str(ROOT))))
        return {**plain, "TMPDIR": str(self.folder / "tmp"), **self.changes, "PYTHONPATH": path}

    def command(self, *arguments: str) -> list[str]:
        return [*self.prefix, *COMMAND, "--home", str(self.home), *arguments]

    def run(self, *arguments: str | Path) -> None:
        """One command, as under a careless umask."""
        words = list(map(str, arguments))
        self.done[" ".join(words[:2])] = subprocess.run(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=self.environment,
            timeout=SECONDS,
            check=False,
            umask=0,
        )

    def failures(self) -> dict[str, str]:
        return {name: result.stderr.decode() for name, result in self.done.items() if result.returncode}


def prepare(folder: Path) -> Path:
    """A home with a small model, and files to import."""
    home = prepare_home(folder / "home", write_tiny_model(folder / "tiny.gguf"))
    for name in ("out", "tmp", "in"):
        (folder / name).mkdir()
    lines = (json.dumps({"prompt": prompt, "text": text}) + "\n" for prompt, text in TEXTS)
    (folder / "in" / "texts.jsonl").write_text("".join(lines))
    rows = [
        {
            "user_id": user,
            "split": "test" if order > 5 else "history",
            "order": order,
            "prompt": prompt,
            "text": text + word,
        }
        for user, word in (("a", " Aye."), ("b", " Nay."))
        for order, (prompt, text) in enumerate(TEXTS)
    ]
    (folder / "in" / "people.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    written(folder / "in" / "conversations.json", chatgpt({"a": node(None, "user", "Where do ferns grow?")}))
    made(folder / "in" / "store.db", OTERM)
    return home


def whole(session: Session) -> Session:
    """Import, chat, rebuild, look, compare, the screens, export, backup; what fails is left for the caller to see."""
    run, folder, out = session.run, session.folder, session.out
    for name in ("texts.jsonl", "conversations.json", "store.db"):
        run("import", folder / "in" / name, "--yes")
    run("chat", "How do I keep bread fresh?")
    run("rebuild", "--json")
    run("profile", "show")
    run("profile", "use", "1")
    run("profile", "export", out / "mine.gguf")
    run("vectors", "add", out / "mine.gguf", "--name", "again")
    run("chat", "And now?", "--json")
    run("compare", "Which knife?")
    run("search", "bread")
    run("models", "list")
    run("doctor", "--json")
    with Terminal(session.command(), session.environment) as terminal:
        chat_once(terminal, session.home, "hello from the screens")
        assert terminal.quit() == 0
    for file_format in ("json", "markdown", "jsonl"):
        run("export", "--format", file_format, "-o", out / f"all.{file_format}")
    run("backup", out / "backup.db")
    run("evaluate", folder / "in" / "people.jsonl", "--methods", "caa", "--replies", "1", "--json", out / "people.json")
    return session


def works(command: Sequence[str]) -> bool:
    """Whether this machine allows such a thing."""
    if not shutil.which(command[0]):
        return False
    return subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
