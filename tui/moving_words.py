"""What comes in, and what goes for good, in words."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.figures import count
from assistant.history.importing import Preview
from assistant.records import Forgotten, ImportCounts
from assistant.visible import one_line

WIDTH = 200


def preview_lines(preview: Preview) -> list[str]:
    """What a file holds, whose it is, and what is left out and why."""
    yours = f", {preview.own_messages:,} of them yours" if preview.own_messages else ""
    lines = [_amount(preview.conversations, preview.messages, preview.texts) + yours]
    if preview.me:
        guess = f", the most frequent of {preview.senders:,} senders" if preview.guessed else ""
        lines.append(f"Taken for yours: mails from {one_line(', '.join(preview.me), WIDTH)}{guess}")
    lines += [f"Left out: {number:,} {one_line(what, WIDTH)}" for what, number in preview.skipped.items()]
    return lines


def imported_line(counts: ImportCounts) -> str:
    """What an import has done."""
    known = f" ({counts.known:,} known already)" if counts.known else ""
    return f"✓ {_amount(counts.conversations, counts.messages, counts.texts)} imported{known}."


def _amount(conversations: int, messages: int, texts: int) -> str:
    parts = [count(conversations, "conversation"), count(messages, "message")] if conversations or messages else []
    return ", ".join([*parts, *([count(texts, "text")] if texts or not parts else [])])


def forgotten_words(found: Forgotten) -> str:
    """What goes, counted."""
    counted = (
        (found.conversations, "conversation", ""),
        (found.messages, "message", ""),
        (found.writings, "text of yours", "texts of yours"),
        (found.titles, "title", ""),
        (found.mentions, "tag, veto or line of a description", "tags, vetoes and lines of descriptions"),
    )
    return ", ".join(count(*entry) for entry in counted if entry[0]) or "nothing"


def forecast_lines(expected: Forgotten) -> list[str]:
    """What forgetting would take, beside the profile versions."""
    lines = [f"This forgets {forgotten_words(expected)} for good. It cannot be undone."]
    if expected.backups:
        lines.append(f"{count(expected.backups, 'automatic backup')} would go, as the text may be in there.")
    if expected.copies_in:
        lines.append(f"Forked conversations keep a copy ({_numbers(expected.copies_in)}); forget them too if you want.")
    return lines


def versions_words(expected: Forgotten) -> str:
    """Which profile versions learned from it."""
    used = f"; version {expected.profile_in_use} is in use" if expected.profile_in_use is not None else ""
    return f"{count(len(expected.profiles), 'profile version')} learned from it ({_numbers(expected.profiles)}){used}."


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
