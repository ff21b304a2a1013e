"""The clipboard of the system, beside the terminal's own way (OSC 52) that not every terminal takes."""

from __future__ import annotations

import asyncio
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from contextlib import suppress

PATIENCE_SECONDS = 3.0

TOOLS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("WAYLAND_DISPLAY", ("wl-copy",)),
    ("DISPLAY", ("xclip", "-selection", "clipboard", "-in")),
    ("DISPLAY", ("xsel", "--clipboard", "--input")),
    ("TMUX", ("tmux", "load-buffer", "-w", "-")),
)
"""Each with the variable without which it would reach no clipboard."""


def clipboard_tool(environment: Mapping[str, str], platform: str = sys.platform) -> tuple[str, ...] | None:
    """The program that takes a text from its standard input into the clipboard; None where there is none.

    Over ssh a Mac's own clipboard is not the person's.
    """
    tools = TOOLS
    if platform == "darwin" and not environment.get("SSH_CONNECTION"):
        tools = (("HOME", ("pbcopy",)), *TOOLS)
    for needed, command in tools:
        if environment.get(needed) and shutil.which(command[0], path=environment.get("PATH")):
            return command
    return None


async def hand_over(text: str, command: tuple[str, ...]) -> None:
    """Give a text to such a program; one that fails or hangs is left alone, as the terminal has the text too."""
    with suppress(OSError, TimeoutError):
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL)
        try:
            await asyncio.wait_for(process.communicate(text.encode(errors="replace")), PATIENCE_SECONDS)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
