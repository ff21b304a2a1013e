"""Another editor for the text in the prompt: the person's own, in a private file."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

NONE_SET = "No editor is set: put its command into $VISUAL or $EDITOR, as in EDITOR=nano."
PREFIX = "prompt-"


class EditorError(Exception):
    """The text was not edited; the message says why."""


def editor_command(environment: Mapping[str, str]) -> list[str]:
    """The words of $VISUAL, else of $EDITOR.

    Raises: EditorError: none is set, or there is no such program.
    """
    told = environment.get("VISUAL") or environment.get("EDITOR") or ""
    try:
        words = shlex.split(told)
    except ValueError as error:
        raise EditorError(f"$VISUAL or $EDITOR cannot be read ({error}): {told}") from error
    if not words:
        raise EditorError(NONE_SET)
    if shutil.which(words[0], path=environment.get("PATH")) is None:
        raise EditorError(f"There is no program {words[0]}; correct $VISUAL or $EDITOR.")
    return words


async def edited(text: str, command: list[str], folder: Path) -> str:
    """The text after the person has edited it in a file of `folder`, which is gone afterwards.

    Raises: EditorError: the editor cannot be started or failed, or left what is no text.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True, parents=True)
        _remove_left_behind(folder)
        handle, name = tempfile.mkstemp(prefix=PREFIX, suffix=".md", dir=folder)  # 0600
        path = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            process = await asyncio.create_subprocess_exec(*command, str(path))
            code = await process.wait()
            if code:
                raise EditorError(f"{command[0]} ended with an error ({code}); your text is as it was.")
            written = path.read_text(encoding="utf-8")
        finally:
            path.unlink(missing_ok=True)
    except (OSError, UnicodeError) as error:
        raise EditorError(f"{command[0]}: {error}; your text is as it was.") from error
    return written.removesuffix("\n")


def _remove_left_behind(folder: Path) -> None:
    """A kill in the middle of editing leaves the file."""
    for path in folder.glob(f"{PREFIX}*"):
        path.unlink(missing_ok=True)
