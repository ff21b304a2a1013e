"""Words that everybody uses, in English: told by the neutral texts, not by a list made by hand."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

from steering.neutral import load_neutral_set

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
COMMON_TEXTS = 3
"""Neutral texts that a word stands in before it is nobody's own."""


@cache
def common_words() -> frozenset[str]:
    """The words of at least COMMON_TEXTS neutral texts, casefolded."""
    texts = Counter(word for text in load_neutral_set().texts for word in set(WORD.findall(text.casefold())))
    return frozenset(word for word, count in texts.items() if count >= COMMON_TEXTS)
