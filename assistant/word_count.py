"""How long a text is, in words, whatever its script."""

from __future__ import annotations


def count_words(text: str) -> int:
    """Words between blanks; of a script without blanks each character is one."""
    # The prompt of the first frame needs no storage.
    from storage.unspaced import UNSPACED_CHARACTER

    wide = len(UNSPACED_CHARACTER.findall(text))
    return wide + len((UNSPACED_CHARACTER.sub(" ", text) if wide else text).split())
