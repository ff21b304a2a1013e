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
heavy = {{"torch", "transformers", "llama_cpp", "accelerate", "safetensors"}}
print(*sorted(heavy & {{name.partition(".")[0] for name in sys.modules}}))
"""


@pytest.mark.parametrize("module", ["tui.app", "assistant.app", "assistant.cli", "assistant.doctor", "storage.store"])
def test_import_loads_nothing_heavy(module):
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n" + PROGRAM.format(module=module)
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
