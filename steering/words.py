"""Words of any language, as ROUGE and METEOR count them."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any

from steering.unspaced import UNSPACED_CHARACTER

SHORTEST_STEMMED = 4
"""Letters; as in rouge-score's own tokenizer."""


def words(text: str) -> list[str]:
    """In lower case; numbers are words, punctuation is not. Of a script without blanks each character is a word."""
    return "".join(map(_spaced, unicodedata.normalize("NFC", text).lower())).split()


class WordTokenizer:
    """rouge-score's own tokenizer with its Porter stemmer, which knows no letter outside ASCII, for any language.

    On ASCII it gives the same.
    """

    def __init__(self) -> None:
        from nltk.stem.porter import PorterStemmer

        self._stemmer: Any = PorterStemmer()

    def tokenize(self, text: str) -> list[str]:
        """The words, stemmed."""
        return [self._stemmer.stem(word) if len(word) >= SHORTEST_STEMMED else word for word in words(text)]


@cache
def _spaced(character: str) -> str:
    """A character of a word (a letter, a mark on one, a digit), one that is a word, or a blank."""
    if unicodedata.category(character)[0] not in "LMN":
        return " "
    return f" {character} " if UNSPACED_CHARACTER.match(character) else character
