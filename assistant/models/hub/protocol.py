"""What the app and the download process tell each other: plain dataclasses, one JSON object a line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fetch:
    """Download a model into a folder.

    Attributes:
        file: in the repository; "" lets the download choose where there is one that suits.
        sha256: what the checksum must be; "" takes the hub's word for it.
    """

    repository: str
    file: str
    sha256: str
    folder: str


@dataclass(frozen=True, slots=True)
class Found:
    """The hub has it: `size` bytes in all, of which `done` are here from an earlier time; `parts` are being filled.

    Without parts the file is there, and is held against the hub's.
    """

    names: tuple[str, ...]
    parts: tuple[str, ...]
    size: int
    done: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """`done` bytes are here; comes several times a second, also when nothing moves."""

    done: int


@dataclass(frozen=True, slots=True)
class Verifying:
    """All has come; checksum and header are being checked."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The hub is slow, refuses for a while or was lost; the download goes on by itself."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The model is in its place; `name` is the file to load. `already_there`: nothing was downloaded."""

    name: str
    already_there: bool = False


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """It could not be downloaded; `message` is for the user."""

    message: str


FetchMessage = Found | Arrived | Verifying | Waiting | Fetched | FetchFailed
