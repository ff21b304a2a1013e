"""The shape of message trees: parents by id, and what follows from them. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

Parents = Mapping[int, int | None]
"""The parent of every message by its id; None for first messages."""


def with_descendants(parents: Parents, ids: Collection[int]) -> frozenset[int]:
    """Those of these messages that are there, and all below them."""
    children = _children(parents)
    waiting = [number for number in ids if number in parents]
    found: set[int] = set()
    while waiting:
        number = waiting.pop()
        if number not in found:
            found.add(number)
            waiting += children[number]
    return frozenset(found)


def without(parents: Parents, gone: Collection[int]) -> dict[int, int | None]:
    """The tree without some messages: what hung on one of them hangs on what is left above it."""
    return {number: remaining_above(parents, number, gone) for number in parents if number not in gone}


def remaining_above(parents: Parents, number: int, gone: Collection[int]) -> int | None:
    """The nearest message above this one that stays."""
    above = parents[number]
    while above is not None and above in gone:
        above = parents[above]
    return above


def newest_leaf(parents: Parents, under: int | None) -> int | None:
    """The message last added below `under` (itself, where nothing is); under None: of the whole tree."""
    if under is None:
        return max(parents, default=None)
    return max(with_descendants(parents, [under]))


def _children(parents: Parents) -> defaultdict[int | None, list[int]]:
    children: defaultdict[int | None, list[int]] = defaultdict(list)
    for number, parent in parents.items():
        children[parent].append(number)
    return children
