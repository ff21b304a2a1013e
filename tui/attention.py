"""Calling a person whose window is not in front: the bell, and a notification where the terminal can show one."""

from __future__ import annotations

from collections.abc import Mapping

BELL = "\a"
LONG_SECONDS = 5.0
"""A reply that took longer is worth calling for."""
TITLE = "Assistant"


def call_sequence(text: str, environment: Mapping[str, str]) -> str:
    """What to write to the terminal. `text` is a phrase of ours: it may be shown on a locked screen, and kept.

    Most terminals know OSC 9 or pass over it, rxvt and its kin OSC 777; a plain console would print it.
    """
    terminal = environment.get("TERM", "")
    if terminal in ("linux", "dumb", "") or environment.get("STY"):
        return BELL
    words = f"777;notify;{TITLE};{text}" if terminal.startswith("rxvt") else f"9;{TITLE}: {text}"
    told = f"\x1b]{words}{BELL}"
    if environment.get("TMUX"):  # which hands it on where allow-passthrough is set, and else drops it
        told = "\x1bPtmux;" + told.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return BELL + told
