"""Python code in this process opens no connection: whatever a library tries is refused, and noted."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from typing import Any

NOTE = "a connection was refused:"
_LOOKUPS = frozenset(
    (
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.gethostbyaddr",
        "socket.getnameinfo",
        "socket.gethostbyname_ex",
    )
)
_USES = frozenset(("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"))
_installed = False


def forbid_network(tell: Callable[[str], None] = lambda _: None) -> None:
    """From here on raise PermissionError for name look-ups and sockets that lead out of the process's own machine.

    Pipes within the machine (AF_UNIX, which asyncio needs) stay. It cannot be taken back. `tell` hears of each try,
    never of where it went.
    """
    global _installed  # noqa: PLW0603  # an audit hook stays for the life of the process
    if _installed:
        return
    _installed = True

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _LOOKUPS or (event in _USES and _leads_out(arguments[0])):
            tell(f"{NOTE} {event}")
            raise PermissionError(f"{event}: this program opens no connections")

    sys.addaudithook(hook)


def _leads_out(used: Any) -> bool:
    return getattr(used, "family", None) != socket.AF_UNIX
