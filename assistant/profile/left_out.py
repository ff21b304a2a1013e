"""What a rebuild did not learn from, in words."""

from __future__ import annotations

from assistant.records import Outcome


def left_out_in_words(outcome: Outcome) -> str:
    """Texts, ends of long texts and earlier texts that stood for nobody; "nothing" where there are none of them."""
    parts = []
    if outcome.left_out:
        parts.append(f"{len(outcome.left_out)} of your texts (the settings and `assistant profile explain` say why)")
    if outcome.tokens_left_out:
        parts.append(f"{outcome.tokens_left_out:,} tokens at the end of long texts")
    if outcome.history_left_out:
        shown = outcome.history_shown / outcome.items
        before = shown + outcome.history_left_out / outcome.items
        parts.append(f"each text was compared with {shown:.1f} of the {before:.1f} before it, on average")
    return "; ".join(parts) or "nothing"
