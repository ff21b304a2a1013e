"""The names of the methods, for whoever needs no torch."""

from __future__ import annotations

from typing import Literal

STEERX = "steerx-"
UNSTEERED, RANDOM, OTHER_PERSON = "unsteered", "random", "other-person"
DESCRIPTION, RETRIEVAL, WITH_DESCRIPTION = "description-prompt", "retrieval-prompt", "steerx-optimized+description"
SHARED = "steerx-optimized"
"""The method whose vector is measured on somebody else as `other-person`."""

PLAIN = ("stylevector", "caa", "prompt-contrast", "optimized")
DEFAULT = (
    *(UNSTEERED, RANDOM, DESCRIPTION, RETRIEVAL),
    *PLAIN,
    *(STEERX + name for name in PLAIN),
    *(WITH_DESCRIPTION, OTHER_PERSON),
)
FURTHER = ("pca", "optimized-sum", "caa-sum", "stylevector-sum")
ALL = (*DEFAULT, *FURTHER, *(STEERX + name for name in FURTHER))
QUICK = ("optimized", "steerx-optimized")
PROMPTED = (DESCRIPTION, RETRIEVAL)
"""Methods without a vector: they have the harm they have."""

Extent = Literal["full", "gain", "quick"]
"""How much is measured: everything; the gain alone, in one set of blocks and at one KL; of that only whether there is
one, by the cheapest vectors at about that KL on few neutral replies."""

METHODS_VERSION = 8
"""Goes up whenever the same person would give other results."""
KLS = (0.05, 0.1, 0.15)
"""Nats at which vectors are reported."""
KL = 0.1
"""Nats at which they are compared, generate and are asked."""


def ordered(methods: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """Each once, `unsteered` always, and what needs another method's vector behind it.

    Raises: ValueError: no such method.
    """
    unknown = [name for name in methods if name not in ALL]
    if unknown:
        raise ValueError(f"no such method: {', '.join(unknown)} (there are {', '.join(ALL)})")
    wanted = {UNSTEERED, *methods}
    if wanted & {WITH_DESCRIPTION, OTHER_PERSON}:
        wanted.add(SHARED)
    return tuple(name for name in (*(n for n in ALL if n not in DEFAULT[-2:]), *DEFAULT[-2:]) if name in wanted)
