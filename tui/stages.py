"""The stages of a rebuild in words."""

from __future__ import annotations

from assistant.figures import count
from assistant.rebuild.runner import Progress

STAGE_WORDS = {
    "model": "Loading the model to measure with",
    "effects": "Scoring which words are yours",
    "replies": "Writing neutral replies to compare with",
    "description": "Putting it into words",
    "calibration": "Finding the place and the strength",
    "vector": "Computing the steering vector",
    "check": "Checking for harm",
    "held-back": "Measuring the gain on texts kept aside",
}


def stage_words(stage: str) -> str:
    """What a stage does, for the person; an unknown one by its name."""
    return STAGE_WORDS.get(stage, stage)


def stages_to_come(progress: Progress) -> list[str]:
    """The stages after this one in words, or how many they are where their names are not known."""
    if progress.stages == len(STAGE_WORDS):
        return list(STAGE_WORDS.values())[progress.stage_number :]
    left = progress.stages - progress.stage_number
    return [count(left, "more stage")] if left else []
