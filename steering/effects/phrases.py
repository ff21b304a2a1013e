"""Preference-driven tokens joined to the words and phrases that a person can read, judge and veto."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from steering.effects.selection import PREFERENCE_NATS
from steering.effects.token_effects import TokenEffects
from steering.effects.vetoes import overlaps, vetoed_spans
from steering.items import PreferenceItem
from steering.profile import Phrase

MAX_WORDS = 4
PRIOR_OCCURRENCES = 4
"""Occurrences without effect that are added to those of a phrase before its mean effect is taken."""
_WORD = re.compile(r"\S+")
_CORE = re.compile(r"[^\W_](?:.*[^\W_])?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class WordEffect:
    """A word without the punctuation at its edges, and the sum of its tokens' effects in nats."""

    word: str
    effect: float


@dataclass(slots=True)
class _Tally:
    effect: float = 0.0
    count: int = 0
    by_item: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))


def rank_phrases(
    items: Sequence[PreferenceItem],
    effects: Mapping[str, TokenEffects],
    *,
    vetoed: Collection[str] = (),
    limit: int = 40,
) -> tuple[Phrase, ...]:
    """Preference-driven words and phrases, best first.

    A phrase is a run of up to MAX_WORDS neighbouring words that each reach PREFERENCE_NATS. It is ranked by its
    mean effect over *all* its occurrences in the history, high or not, shrunk towards none: a stop-word that is
    sometimes surprising loses on its other occurrences, without a list of them. What stands in a single item comes
    after all that recurs.
    """
    words = {item.id: word_effects(item.text, effects[item.id], vetoed) for item in items if item.id in effects}
    spellings: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for item_words in words.values():
        for run in _strong_runs(item_words):
            spellings[_key(run)][" ".join(run)] += 1
    tallies = _tally(words, spellings)
    phrases = [
        Phrase(spellings[key].most_common(1)[0][0], round(t.effect, 4), t.count, _strongest_first(t.by_item))
        for key, t in tallies.items()
        if t.effect > 0
    ]
    return tuple(sorted(phrases, key=_rank)[:limit])


def _strongest_first(effects: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(sorted(effects, key=lambda item_id: -effects[item_id]))


def _rank(phrase: Phrase) -> tuple[bool, float, str]:
    return len(phrase.item_ids) == 1, -phrase.effect / (phrase.count + PRIOR_OCCURRENCES), phrase.text


def word_effects(text: str, effects: TokenEffects, vetoed: Collection[str] = ()) -> list[WordEffect]:
    """The words of the scored part of a text, in order; a token counts for the word its last character is in.

    What is under a veto is no word of any phrase.
    """
    matches = list(_WORD.finditer(text))
    starts = [match.start() for match in matches]
    sums = [0.0] * len(matches)
    for end, effect in zip(effects.ends, effects.effects, strict=True):
        place = bisect_right(starts, end - 1) - 1
        if place >= 0 and end <= matches[place].end():
            sums[place] += effect
    scored_to = max(effects.ends, default=0)
    covered = vetoed_spans(text, vetoed)
    return [
        WordEffect("" if overlaps(*match.span(), covered) else _bare(match.group()), total)
        for match, total in zip(matches, sums, strict=True)
        if match.start() < scored_to
    ]


def _strong_runs(words: Sequence[WordEffect]) -> Iterator[list[str]]:
    run: list[str] = []
    for w in words:
        strong = bool(w.word) and w.effect >= PREFERENCE_NATS
        if strong:
            run.append(w.word)
        if run and (not strong or len(run) == MAX_WORDS):
            yield run
            run = []
    if run:
        yield run


def _tally(
    words: Mapping[str, Sequence[WordEffect]], wanted: Collection[tuple[str, ...]]
) -> dict[tuple[str, ...], _Tally]:
    found: dict[tuple[str, ...], _Tally] = defaultdict(_Tally)
    for item_id, item_words in words.items():
        keys = [w.word.casefold() for w in item_words]
        for length in range(1, MAX_WORDS + 1):
            for start in range(len(keys) - length + 1):
                key = tuple(keys[start : start + length])
                if key in wanted:
                    tally = found[key]
                    effect = sum(w.effect for w in item_words[start : start + length])
                    tally.effect += effect
                    tally.count += 1
                    tally.by_item[item_id] += effect
    return found


def _key(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(_bare(word).casefold() for word in words)


def _bare(word: str) -> str:
    """The word without the punctuation at its edges; combining marks belong to the letter before them."""
    core = _CORE.search(word)
    if not core:
        return ""
    end = core.end()
    while end < len(word) and unicodedata.category(word[end]).startswith("M"):
        end += 1
    return word[core.start() : end]
