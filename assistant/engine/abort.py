"""A flag that ends an evaluation inside llama.cpp, set from any thread."""

from __future__ import annotations

import ctypes
import logging

NATIVE_LOG = logging.getLogger("llama.cpp")


class DecodeAborted(Exception):  # noqa: N818  # an order that was obeyed, not an error
    """The flag was set while tokens were evaluated; the cache holds what was complete before."""


class AbortFlag:
    """A C string that is empty until an end is asked for; llama.cpp looks at it between two graph nodes."""

    def __init__(self) -> None:
        self._buffer = ctypes.create_string_buffer(2)

    @property
    def address(self) -> ctypes.c_void_p:
        """Where native code finds the string."""
        return ctypes.cast(self._buffer, ctypes.c_void_p)

    def set(self) -> None:
        """Ask the running evaluation to end."""
        NATIVE_LOG.disabled = True  # llama.cpp reports the end that was asked for as an error
        self._buffer[0] = b"\x01"

    def clear(self) -> None:
        """Forget the request."""
        NATIVE_LOG.disabled = False
        self._buffer[0] = b"\x00"

    def is_set(self) -> bool:
        """Whether an end was asked for."""
        return bool(self._buffer[0] != b"\x00")
