"""The terminal after a stop that could not be told before: `kill -STOP`, a frozen container, a machine put to sleep."""

from __future__ import annotations

from functools import cache

from textual.driver import Driver


@cache
def that_wakes(driver: type[Driver]) -> type[Driver]:
    """The driver, which on SIGCONT leaves the terminal's mode before it enters it once more.

    Textual enters it a second time: two threads then read the keys, quitting waits for one of them for ever, and the
    terminal is left as a program wants it, not as a shell does.
    """
    if driver.__name__ != "LinuxDriver":
        return driver

    class Waking(driver):  # type: ignore[misc, valid-type]
        def _sigcont_application(self, *signal: object) -> None:
            if self._auto_restart and not self._must_signal_resume:
                self.suspend_application_mode()
            super()._sigcont_application(*signal)

    return Waking
