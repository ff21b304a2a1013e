"""The standard streams as every command takes them to be: there, and in UTF-8."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from traceback import walk_tb

import click


def prepare_streams() -> None:
    """Let a closed stream lead nowhere, and write UTF-8 whatever the locale says."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # In this order each gets its own number, which else the history might get, and be written over.
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # Exports and JSON are UTF-8 by their formats, and so are the terminals of today.
            stream.reconfigure(encoding="utf-8", errors="replace")


def drop_output() -> None:
    """Write nothing more to stdout: what could not be written is not tried again when Python ends."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def raised_by_output(error: OSError) -> bool:
    """Whether printing failed, and not something else that a command did."""
    *_, (innermost, _) = walk_tb(error.__traceback__)
    return innermost.f_code is click.echo.__code__
