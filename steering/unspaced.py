"""Scripts that put no blanks between words: of these each character counts as a word."""

from __future__ import annotations

import re

UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Their characters, to stand in brackets in a pattern: Thai, Lao, Burmese, Khmer, Chinese, Japanese."""
UNSPACED_CHARACTER = re.compile(f"[{UNSPACED}]")
