"""Preference-driven tokens put into words a person can read and correct; kept in prompts only where it helps.

Two candidates: one written by the chat model from phrases and examples, and a template of phrases and measured
habits, which a model too small to write still gets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from steering.chat_model import ChatModel
from steering.items import PreferenceItem
from steering.profile import Phrase

WRITTEN_TOKENS = 120
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_FIRST_PERSON = re.compile(r"\b(?:i|i'm|i've|i'd|i'll|my|me)\b", re.IGNORECASE)
_CONTRACTION = re.compile(r"\b\w+['’](?:t|s|re|ve|ll|d|m)\b", re.IGNORECASE)
_LIST_LINE = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Habits:
    """Measured habits of writing: medians over texts, or the share of texts or words that show it."""

    words: float
    sentence_words: float
    lower_case_share: float
    first_person_share: float
    contraction_share: float
    question_share: float
    exclamation_share: float
    list_share: float


def measure_habits(texts: Sequence[str]) -> Habits:
    """Habits of at least one text."""
    words = [_WORD.findall(text) for text in texts]
    sentences = [len(_WORD.findall(s)) for text in texts for s in _SENTENCE.findall(text) if _WORD.search(s)]
    total = max(1, sum(map(len, words)))
    return Habits(
        words=median(map(len, words)),
        sentence_words=median(sentences or [0]),
        lower_case_share=_share(texts, lambda text: text == text.lower()),
        first_person_share=sum(len(_FIRST_PERSON.findall(text)) for text in texts) / total,
        contraction_share=sum(len(_CONTRACTION.findall(text)) for text in texts) / total,
        question_share=_share(texts, lambda text: "?" in text),
        exclamation_share=_share(texts, lambda text: "!" in text),
        list_share=_share(texts, lambda text: bool(_LIST_LINE.search(text))),
    )


def template_description(items: Sequence[PreferenceItem], phrases: Sequence[Phrase]) -> str:
    """Plain sentences from measured habits and the strongest phrases."""
    habits = measure_habits([item.text for item in items])
    sentences = [
        f"Answers of about {_rounded(habits.words)} words, in {_sentence_length(habits.sentence_words)} sentences "
        f"of about {round(habits.sentence_words)} words.",
        *_manner(habits),
    ]
    if phrases:
        quoted = ", ".join(f"“{phrase.text}”" for phrase in phrases[:8])
        sentences.append(f"Typical words and phrases: {quoted}.")
    return " ".join(sentences)


def written_description(chat: ChatModel, items: Sequence[PreferenceItem], phrases: Sequence[Phrase]) -> str:
    """A few sentences by the chat model; empty where it wrote none.

    A sentence in which the model speaks of itself ("I'm glad to hear ...") is an answer and no description: however
    much likelier it makes the texts, nobody could read or correct it.
    """
    shown = ", ".join(phrase.text for phrase in phrases[:16])
    example = max(items, key=lambda item: item.order).text[:400]
    request = (
        "Describe how this person likes answers to be written, in three short sentences: "
        "tone, length and structure, vocabulary and topics. Write nothing else.\n\n"
        f"Words and phrases this person uses more than others: {shown}\n\nA text by this person: {example}"
    )
    reply = chat.reply(request, max_tokens=WRITTEN_TOKENS, greedy=True)
    sentences = [s.strip() for s in _SENTENCE.findall(" ".join(reply.split())) if s.strip()]
    complete = [s for s in sentences if s[-1] in ".!?" and not _FIRST_PERSON.search(s)]
    return " ".join(dict.fromkeys(complete[:3]))


def _manner(habits: Habits) -> list[str]:
    said = []
    if habits.lower_case_share >= 0.5:
        said.append("Lower case only.")
    if habits.first_person_share >= 0.03:
        said.append("Personal, often in the first person.")
    elif habits.first_person_share <= 0.005:
        said.append("Impersonal, hardly ever in the first person.")
    if habits.contraction_share >= 0.015:
        said.append("Informal, with contractions.")
    elif habits.contraction_share <= 0.003:
        said.append("No contractions.")
    if habits.list_share >= 0.4:
        said.append("Likes lists.")
    if habits.question_share >= 0.5:
        said.append("Often asks questions.")
    if habits.exclamation_share >= 0.5:
        said.append("Exclaims.")
    return said


def _share(texts: Sequence[str], holds: Callable[[str], bool]) -> float:
    return sum(map(holds, texts)) / len(texts)


def _rounded(words: float) -> int:
    return max(10, 10 * round(words / 10))


def _sentence_length(words: float) -> str:
    return "short" if words < 12 else "long" if words > 22 else "medium-long"
