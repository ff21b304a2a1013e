"""The app starts in a blink: what takes seconds to import lives in the child processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = """
import importlib, sys
importlib.import_module({module!r})
print(*sorted({heavy!r} & {{name.partition(".")[0] for name in sys.modules}}))
"""
CHILDREN = {"torch", "transformers", "llama_cpp", "accelerate", "safetensors"}
AFTER_THE_FIRST_FRAME = {"numpy", "pydantic", "sqlite_utils", "tomlkit", "storage", "steering"}


MODULES = ["tui.app", "tui.screens.chat", "tui.key_sections", "assistant.app", "assistant.cli", "assistant.doctor"]


@pytest.mark.parametrize("module", [*MODULES, "storage.store"])
def test_import_loads_nothing_heavy(module):
    assert imported_by(module, CHILDREN) == []


def test_the_first_frame_waits_for_no_history():
    assert imported_by("tui.app", CHILDREN | AFTER_THE_FIRST_FRAME) == []


def imported_by(module: str, heavy: set[str]) -> list[str]:
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n" + PROGRAM.format(module=module, heavy=heavy)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
