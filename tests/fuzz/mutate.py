"""Valid files made wrong: bytes, and JSON values, with every choice drawn from one source of chance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 1 << 32, (1 << 62) + 1, (1 << 63) - 1, (1 << 64) - 1)
STRANGE: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        1e308,
        10**30,
        -(1 << 63),
        "",
        " ",
        "a",
        "user",
        "\0",
        "\ud800",
        "\u202e\x1b]0;x\x07",
    ),
    *([], {}, [[]], [None], {"": None}, {"a": {"a": {}}}, "x" * 3000, "2024-13-45T99:99:99Z", "9" * 400, 1700000000.0),
)
"""Values that a careless reader trips over."""
PIECES = (
    b"\0",
    b"\n",
    b"\r\n",
    b"\xff",
    b"\xfe\xff",
    b"\xef\xbb\xbf",
    b'"',
    b"{",
    b"[",
    b"}",
    b"]",
    b"\\u",
    b"\x1b[2J",
)


def mutated(data: bytes, chance: Random, pieces: Sequence[bytes] = PIECES) -> bytes:
    """`data` after one to six cuts, copies, insertions and overwritten numbers."""
    for _ in range(1 + chance.randrange(6)):
        data = _CHANGES[chance.randrange(len(_CHANGES))](data, chance, pieces)
    return data


def raw(chance: Random, longest: int = 300) -> bytes:
    """Bytes of no kind at all."""
    return bytes(chance.getrandbits(8) for _ in range(chance.randrange(longest)))


def mutated_json(value: Any, chance: Random) -> Any:
    """A deep copy of a JSON value after one to five changes anywhere in it."""
    holder = [json.loads(json.dumps(value))]
    for _ in range(1 + chance.randrange(5)):
        _change(holder, chance)
    return holder[0]


def _change(holder: list[Any], chance: Random) -> None:
    inner, key = _place(holder, chance)
    others = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
    match chance.randrange(7):
        case 0 | 1:
            inner[key] = json.loads(json.dumps(STRANGE[chance.randrange(len(STRANGE))]))
        case 2 if len(inner) > 1:
            del inner[key]
        case 3:
            inner[key] = [inner[key]] * chance.randrange(1, 4)
        case 4:
            inner[key] = json.loads(json.dumps(inner[others[chance.randrange(len(others))]]))
        case 5 if isinstance(inner, dict):
            inner["".join(chr(chance.randrange(32, 400)) for _ in range(chance.randrange(4)))] = inner.pop(key)
        case _:
            for _ in range(chance.choice((1, 2, 40, 150))):
                inner[key] = [inner[key]] if chance.randrange(2) else {"mapping": inner[key]}


def _place(holder: list[Any], chance: Random) -> tuple[Any, Any]:
    """A container anywhere in the value, and a key that it has."""
    inner: Any = holder
    while True:
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        key = keys[chance.randrange(len(keys))]
        if not isinstance(inner[key], (dict, list)) or not inner[key] or chance.randrange(4) == 0:
            return inner, key
        inner = inner[key]


def _flip(data: bytes, chance: Random, _pieces: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]


def _cut(data: bytes, chance: Random, _pieces: Sequence[bytes]) -> bytes:
    start, length = chance.randrange(len(data) + 1), chance.choice((1, 2, 8, 64, 4096))
    return data[:start] + data[start + length :]


def _end(data: bytes, chance: Random, _pieces: Sequence[bytes]) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _copy(data: bytes, chance: Random, _pieces: Sequence[bytes]) -> bytes:
    start, at = chance.randrange(len(data) + 1), chance.randrange(len(data) + 1)
    return data[:at] + data[start : start + chance.choice((1, 8, 64, 512))] * chance.choice((1, 1, 2, 50)) + data[at:]


def _piece(data: bytes, chance: Random, pieces: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + pieces[chance.randrange(len(pieces))] * chance.choice((1, 1, 1, 3, 200)) + data[at:]


def _number(data: bytes, chance: Random, _pieces: Sequence[bytes]) -> bytes:
    size = chance.choice((1, 2, 4, 8))
    at = chance.randrange(len(data) + 1)
    number = NUMBERS[chance.randrange(len(NUMBERS))] & ((1 << 8 * size) - 1)
    return data[:at] + number.to_bytes(size, chance.choice(("little", "big"))) + data[at + size :]


_CHANGES = (_flip, _flip, _cut, _end, _copy, _piece, _piece, _number)
