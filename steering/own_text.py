"""Which parts of a text are the person's own: not what they quote, paste as code, hand over in tags or forward.

Of a text alone only what is marked as such can be told from their own words. What was pasted bare between them the
caller has to know.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from steering.unspaced import UNSPACED

LONG_QUOTATION_WORDS = 40
"""Words between quotation marks from which they are somebody else's; a shorter quotation is a way of speaking."""
HEADER_LINES = 3
"""Lines like "From: ..." in a row with which a forwarded mail begins."""

BEGINNING_WORDS = 12
"""Words of a passage by which it is known again."""


class Reason(StrEnum):
    """Why a passage is not the person's own."""

    QUOTATION = "quotation"
    CODE = "code"
    DOCUMENT = "document in tags"
    MAIL = "forwarded mail"
    PASTED = "pasted"


@dataclass(frozen=True, slots=True)
class Passage:
    """Characters `start:end` of a text that its sender did not write, so many words, and how it `begins`."""

    start: int
    end: int
    reason: Reason
    words: int
    begins: str


@dataclass(frozen=True, slots=True)
class OwnText:
    """The person's own words, and what of the text is not among them, in order."""

    text: str
    left_out: tuple[Passage, ...]


_Line = tuple[int, int, str]
"""Where it starts, where its line end ends, and what it says."""

_QUOTED = re.compile(r"""[ ]{0,3}(?:>[ ]?)+(?:$|\s|[\w"'“„«「『(\[*`~#$@|/\\-])""")
_FENCE = re.compile(r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(`{3,}(?=[^`]*$)|~{3,})")
"""Of a block of code, also in a list."""
_TAG = re.compile(r"[ \t]*<(/?)([A-Za-z][\w-]{0,40})(?:\s[^<>]{0,200})?>[ \t]*$")
_HEADER = re.compile(
    r"[*_ \t]{0,4}(?:from|to|cc|bcc|subject|date|sent|reply-to|von|an|betreff|datum|gesendet|de|à|para|objet|envoyé"
    r"|asunto|fecha|enviado|assunto|oggetto|data|da|inviato|van|aan|onderwerp|verzonden)[*_]{0,2}\s?:[*_]{0,2}\s",
    re.IGNORECASE,
)
_ANNOUNCED = re.compile(r".{0,200}(?:\S@\S|\d{1,2}:\d{2}).{0,200}:\s*$")
"""The line above a quotation that says who wrote what follows, and when."""
_SEPARATOR = re.compile(r"\s*(?:[-_=]{2,}.{0,60}|.{1,60}:)\s*$")
"""The line above the headers of a forwarded mail."""
_BETWEEN_MARKS = re.compile(
    r"“[^“”]*”|„[^„“”]*[“”]|(?<!\w)«[^«»]*»|(?<!\w)»[^«»]*«(?!\w)|(?<![^\s(])\"(?=\S)[^\"]*\"(?!\w)"
    r"|「[^「」]*」|『[^『』]*』"
)
_WORD = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")
_LINE = re.compile(r"[^\n]*\n|[^\n]+$")
_MANY_BLANK_LINES = re.compile(r"\n{3,}")

Stretch = tuple[int, int]
"""Characters `start:end` of a text."""


def own_text(text: str, pasted: Sequence[Stretch] = ()) -> OwnText:
    """The text without the passages that are not its sender's own; as it is where there are none.

    `pasted` stretches are none of theirs, whatever they look like; they are disjoint and in order.
    """
    # Marks within what was pasted say nothing of the words around it: a fence that is opened there ends there.
    marked = foreign_passages(_blanked(text, pasted))
    passages = _merged(text, [*marked, *(_passage(text, start, end, Reason.PASTED) for start, end in pasted)])
    if not passages:
        return OwnText(text, ())
    starts = [0, *(passage.end for passage in passages)]
    ends = [*(passage.start for passage in passages), len(text)]
    kept = "\n\n".join(text[start:end].strip("\n") for start, end in zip(starts, ends, strict=True))
    return OwnText(_MANY_BLANK_LINES.sub("\n\n", kept).strip(), passages)


def foreign_passages(text: str) -> Iterator[Passage]:
    """The passages that are not the sender's own, in order; none overlaps another."""
    end = 0
    for block in _blocks(text):
        yield from _long_quotations(text, end, block.start)
        yield block
        end = block.end
    yield from _long_quotations(text, end, len(text))


def _blanked(text: str, stretches: Sequence[Stretch]) -> str:
    """The text with blanks in some places; lines and lengths stay."""
    parts, place = [], 0
    for start, end in stretches:
        parts += [text[place:start], "\n".join(" " * len(line) for line in text[start:end].split("\n"))]
        place = end
    return "".join([*parts, text[place:]])


def _merged(text: str, passages: Iterable[Passage]) -> tuple[Passage, ...]:
    """In order, those that overlap as one, for the reason of the longest."""
    merged: list[Passage] = []
    for passage in sorted(passages, key=lambda one: (one.start, one.end)):
        if merged and passage.start < merged[-1].end:
            last = merged.pop()
            longest = max(last, passage, key=lambda one: one.end - one.start)
            merged.append(_passage(text, last.start, max(last.end, passage.end), longest.reason))
        else:
            merged.append(passage)
    return tuple(merged)


def _long_quotations(text: str, start: int, end: int) -> Iterator[Passage]:
    for found in _BETWEEN_MARKS.finditer(text, start, end):
        passage = _passage(text, found.start(), found.end(), Reason.QUOTATION)
        if passage.words >= LONG_QUOTATION_WORDS:
            yield passage


def _passage(text: str, start: int, end: int, reason: Reason) -> Passage:
    words = list(_WORD.finditer(text, start, end))
    begins = text[words[0].start() : words[:BEGINNING_WORDS][-1].end()] if words else ""
    return Passage(start, end, reason, len(words), " ".join(begins.split()))


def _blocks(text: str) -> Iterator[Passage]:
    """The passages that are made of whole lines."""
    lines = [(found.start(), found.end(), found.group().rstrip("\r\n")) for found in _LINE.finditer(text)]
    closings = _closing_tags(lines)
    place = 0
    while place < len(lines):
        found = _block(lines, place, closings)
        if found is None:
            place += 1
            continue
        first, place, reason = found
        yield _passage(text, lines[first][0], lines[place - 1][1], reason)


def _block(lines: Sequence[_Line], place: int, closings: dict[str, list[int]]) -> tuple[int, int, Reason] | None:
    """The block that begins here: its first line (the one above where that introduces it), the one after it, why."""
    line = lines[place][2]
    if (fence := _FENCE.match(line)) and not _is_underline(lines, place):
        return place, _after_fence(lines, place, fence.group(1)), Reason.CODE
    if _QUOTED.match(line):
        return place - _introduced(lines, place, _ANNOUNCED), _after_quotation(lines, place), Reason.QUOTATION
    if _starts_mail(lines, place):
        return place - _introduced(lines, place, _SEPARATOR), len(lines), Reason.MAIL
    if (tag := _TAG.match(line)) and not tag.group(1):
        closing = closings.get(tag.group(2).lower(), [])
        after = bisect_right(closing, place)
        if after < len(closing):
            return place, closing[after] + 1, Reason.DOCUMENT
    return None


def _is_underline(lines: Sequence[_Line], place: int) -> bool:
    """Whether these tildes make a heading of the line above, as in plain text: about as long as it is."""
    tildes = lines[place][2].strip()
    above = lines[place - 1][2].strip() if place else ""
    return len(tildes) > 3 and not tildes.strip("~") and abs(len(tildes) - len(above)) <= 2


def _after_fence(lines: Sequence[_Line], place: int, fence: str) -> int:
    """The line after the closing fence; one that is never closed goes to the end."""
    closing = re.compile(rf"[ \t]*{re.escape(fence[0])}{{{len(fence)},}}\s*$")
    return next((i + 1 for i in range(place + 1, len(lines)) if closing.match(lines[i][2])), len(lines))


def _after_quotation(lines: Sequence[_Line], place: int) -> int:
    """The line after the last marked one; blank lines between marked ones belong to them."""
    after = place
    for i in range(place, len(lines)):
        if _QUOTED.match(lines[i][2]):
            after = i + 1
        elif lines[i][2].strip():
            break
    return after


def _starts_mail(lines: Sequence[_Line], place: int) -> bool:
    """Several header lines in a row, of which two are never the same."""
    names = [_header_name(line) for _, _, line in lines[place : place + HEADER_LINES]]
    return len(names) == HEADER_LINES and None not in names and len(set(names)) == HEADER_LINES


def _header_name(line: str) -> str | None:
    return line.partition(":")[0].strip(" \t*_").lower() if _HEADER.match(line) else None


def _introduced(lines: Sequence[_Line], place: int, introduction: re.Pattern[str]) -> int:
    """How many lines above belong to the block: the introducing one and at most one blank line after it, or none."""
    for above in (1, 2):
        if place >= above and (said := lines[place - above][2]).strip():
            return above if introduction.match(said) else 0
    return 0


def _closing_tags(lines: Sequence[_Line]) -> dict[str, list[int]]:
    """The lines that are nothing but a closing tag, by the name of the tag."""
    found: dict[str, list[int]] = {}
    for i, (_, _, line) in enumerate(lines):
        if (tag := _TAG.match(line)) and tag.group(1):
            found.setdefault(tag.group(2).lower(), []).append(i)
    return found
