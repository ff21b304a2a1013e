"""A crash of this process leaves no copy of its memory behind, with what was said in it."""

from __future__ import annotations

from contextlib import suppress


def forbid_core_dumps() -> None:
    """From here on the system writes no core file of this process, nor of those that it starts."""
    with suppress(ImportError):  # a platform without limits
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
