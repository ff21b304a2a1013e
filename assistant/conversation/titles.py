"""Titles of conversations in the model's words, asked for behind the scenes after the first exchange."""

from __future__ import annotations

import re

from assistant.engine.protocol import Sampling
from assistant.visible import one_line

REQUEST = "Give this conversation a title of three to six words. Answer with the title alone."
SAMPLING = Sampling(temperature=0, max_tokens=16, stop=("\n",))
LONGEST = 60
FEWEST_WORDS, MOST_WORDS = 2, 10
_AROUND = re.compile(r"^(?:title\s*:)?[\s\"'“”‘’*#_`]+|[\s\"'“”‘’*#_`.:;,]+$", re.IGNORECASE)


def title_of(answer: str) -> str:
    """The title in a model's answer; empty where it gave none: small models talk instead."""
    title = one_line(answer.strip().removeprefix("Title:"), LONGEST + 1)
    while (cut := _AROUND.sub("", title)) != title:
        title = cut
    fits = FEWEST_WORDS <= len(title.split()) <= MOST_WORDS and len(title) <= LONGEST
    return title if fits else ""
