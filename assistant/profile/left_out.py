"""What a rebuild did not learn from, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from assistant.figures import count
from assistant.records import Outcome, Passage
from assistant.visible import one_line
from assistant.word_count import count_words

MOST_SHOWN = 5
BEGINNING_WIDTH = 60


def left_out_in_words(outcome: Outcome) -> str:
    """Texts, what others wrote in them, what stands far down, earlier ones that stood for nobody; else "nothing"."""
    parts = []
    if outcome.left_out:
        parts.append(f"{len(outcome.left_out)} of your texts (the settings and `assistant profile explain` say why)")
    if outcome.passages_left_out:
        parts.append(
            f"{count(outcome.passages_left_out, 'passage')} in your texts that others wrote (quoted, pasted, "
            f"forwarded, code: {count(outcome.words_left_out, 'word')})"
        )
    if outcome.tokens_left_out:
        parts.append(f"{count(outcome.tokens_left_out, 'token')} at the end of long texts")
    if outcome.tokens_unlearned:
        parts.append(f"{count(outcome.tokens_unlearned, 'token')} far down long texts, which count for phrases alone")
    if outcome.history_left_out:
        shown = outcome.history_shown / outcome.items
        before = shown + outcome.history_left_out / outcome.items
        parts.append(f"each text was compared with {shown:.1f} of the {before:.1f} before it, on average")
    return "; ".join(parts) or "nothing"


def passages_in_words(passages: Sequence[Passage]) -> str:
    """What of one text is not learned from because somebody else wrote it; empty for nothing."""
    if not passages:
        return ""
    counted = Counter(passage.reason.value for passage in passages)
    kinds = ", ".join(f"{times} × {kind}" if times > 1 else kind for kind, times in counted.items())
    words = sum(passage.words for passage in passages)
    return f"{count(words, 'word')} of it {'is' if words == 1 else 'are'} not yours ({kinds})"


def passage_lines(passages: Sequence[Passage]) -> list[str]:
    """How the longest of them begin, in the order of the text, a line each."""
    longest = sorted(passages, key=lambda passage: passage.words, reverse=True)[:MOST_SHOWN]
    shown = [passage for passage in passages if passage in longest]
    return [f"{passage.reason.value}: “{one_line(_beginning(passage), BEGINNING_WIDTH)}”" for passage in shown]


def _beginning(passage: Passage) -> str:
    return passage.begins if passage.words == count_words(passage.begins) else f"{passage.begins} …"
