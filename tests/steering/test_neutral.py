import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

import steering.neutral
from steering.neutral import NeutralSet, load_neutral_set

SHARED_RUN = 6
"""Two entries that have so many words in a row in common count as overlapping."""


@pytest.fixture
def neutral() -> NeutralSet:
    return load_neutral_set()


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:'[^\W_]+)?", text.lower())


def word_runs(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[i : i + SHARED_RUN]) for i in range(len(found) - SHARED_RUN + 1)}


def test_counts(neutral):
    assert (len(neutral.prompts), len(neutral.texts), len(neutral.questions)) == (40, 40, 60)


def test_lengths_in_words(neutral):
    assert all(6 <= len(prompt.split()) <= 40 for prompt in neutral.prompts)
    assert all(50 <= len(text.split()) <= 80 for text in neutral.texts)
    assert all(1 <= len(choice.split()) <= 6 for question in neutral.questions for choice in question.choices)


def test_answers_are_balanced_over_the_positions(neutral):
    assert Counter(question.answer for question in neutral.questions) == {0: 15, 1: 15, 2: 15, 3: 15}


def test_the_longest_choice_is_no_clue(neutral):
    longest = 0
    for question in neutral.questions:
        lengths = [len(choice) for choice in question.choices]
        longest += lengths[question.answer] > max(n for i, n in enumerate(lengths) if i != question.answer)
    assert longest <= len(neutral.questions) // 3


def test_choices_of_a_question_differ(neutral):
    for question in neutral.questions:
        assert len({choice.casefold() for choice in question.choices}) == 4, question.question


def test_no_two_entries_overlap(neutral):
    entries = [*neutral.prompts, *neutral.texts, *(question.question for question in neutral.questions)]
    assert len({tuple(words(entry)) for entry in entries}) == len(entries)
    runs = [(entry, word_runs(entry)) for entry in entries]
    for (one, one_runs), (other, other_runs) in combinations(runs, 2):
        assert not one_runs & other_runs, (one, other)


def test_entries_are_clean_text(neutral):
    choices = [choice for question in neutral.questions for choice in question.choices]
    questions = [question.question for question in neutral.questions]
    for entry in [*neutral.prompts, *neutral.texts, *questions, *choices]:
        assert entry == entry.strip()
        assert entry.replace("\n", "").isprintable()


def test_nothing_in_the_files_is_lost(neutral):
    folder = Path(steering.neutral.__file__).parent
    prompts, texts, questions = (
        json.loads((folder / name).read_text(encoding="utf-8"))
        for name in ("prompts.json", "texts.json", "questions.json")
    )
    assert list(neutral.prompts) == prompts
    assert list(neutral.texts) == texts
    assert [
        {"question": question.question, "choices": list(question.choices), "answer": question.answer}
        for question in neutral.questions
    ] == questions


def test_loading_again_gives_the_same_object():
    assert load_neutral_set() is load_neutral_set()
