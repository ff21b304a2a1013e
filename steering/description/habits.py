"""Measured habits of writing, and how they are said."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from steering.description.common import common_words

_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
_WORD = re.compile(r"\w+(?:['’]\w+)*")
FIRST_PERSON = re.compile(r"\b(?:i|i'm|i've|i'd|i'll|my|me)\b", re.IGNORECASE)
_CONTRACTION = re.compile(r"\b\w+['’](?:t|s|re|ve|ll|d|m)\b", re.IGNORECASE)
_EMOJI = re.compile("[\u2600-\u26ff\u2764\U0001f1e6-\U0001faff]")
"""Of Unicode's symbols, degree and copyright signs among them, those that are pictures."""
ENGLISH_SHARE = 0.27
"""Of words that are common in English: at least 0.30 in texts of each of 231 people, 0.1 to 0.2 in its relatives."""
_LIST_LINE = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Habits:
    """Measured habits of writing: medians over texts, the share of texts or words that show it, marks for each word.

    `common_share`: of words that everybody uses in English.
    """

    words: float
    sentence_words: float
    lower_case_share: float
    first_person_share: float
    contraction_share: float
    question_share: float
    exclamation_share: float
    list_share: float
    emoji_share: float
    marks: float
    common_share: float

    @property
    def english(self) -> bool:
        """Whether the texts are in English, of which first person and contractions are told."""
        return self.common_share >= ENGLISH_SHARE


def measure_habits(texts: Sequence[str]) -> Habits:
    """Habits of at least one text."""
    words = [_WORD.findall(text) for text in texts]
    sentences = [len(_WORD.findall(s)) for text in texts for s in _SENTENCE.findall(text) if _WORD.search(s)]
    total = max(1, sum(map(len, words)))
    return Habits(
        words=median(map(len, words)),
        sentence_words=median(sentences or [0]),
        lower_case_share=_share(texts, lambda text: text.upper() != text == text.lower()),
        first_person_share=sum(len(FIRST_PERSON.findall(text)) for text in texts) / total,
        contraction_share=sum(len(_CONTRACTION.findall(text)) for text in texts) / total,
        question_share=_share(texts, lambda text: "?" in text),
        exclamation_share=_share(texts, lambda text: "!" in text),
        list_share=_share(texts, lambda text: bool(_LIST_LINE.search(text))),
        emoji_share=_share(texts, lambda text: bool(_EMOJI.search(text))),
        marks=sum(unicodedata.category(c)[0] == "P" for text in texts for c in text) / total,
        common_share=sum(word.casefold() in common_words() for found in words for word in found) / total,
    )


def length_sentence(habits: Habits) -> str:
    """How long texts and their sentences are."""
    return (
        f"Answers of about {_rounded(habits.words)} words, in {_sentence_length(habits.sentence_words)} sentences "
        f"of about {round(habits.sentence_words)} words."
    )


def manner(habits: Habits) -> list[str]:
    """A short sentence for each habit that stands out."""
    said = []
    if habits.lower_case_share >= 0.5:
        said.append("Lower case only.")
    # No "I" and no "don't" say something only of those who could have written them.
    if habits.first_person_share >= 0.03:
        said.append("Personal, often in the first person.")
    elif habits.english and habits.first_person_share <= 0.005:
        said.append("Impersonal, hardly ever in the first person.")
    if habits.contraction_share >= 0.015:
        said.append("Informal, with contractions.")
    elif habits.english and habits.contraction_share <= 0.003:
        said.append("No contractions.")
    if habits.list_share >= 0.4:
        said.append("Likes lists.")
    if habits.question_share >= 0.5:
        said.append("Often asks questions.")
    if habits.exclamation_share >= 0.5:
        said.append("Exclaims.")
    if habits.emoji_share >= 0.25:
        said.append("Uses emoji.")
    return said


def _share(texts: Sequence[str], holds: Callable[[str], bool]) -> float:
    return sum(map(holds, texts)) / len(texts)


def _rounded(words: float) -> int:
    return max(10, 10 * round(words / 10))


def _sentence_length(words: float) -> str:
    return "short" if words < 12 else "long" if words > 22 else "medium-long"
