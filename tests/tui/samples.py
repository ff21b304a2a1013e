"""Conversations, items, profiles and texts that the tests of the screens show."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import cast

from assistant.app import Assistant
from assistant.profile.preferences import LearnableItem
from assistant.profile.version import Explanation, Profile
from assistant.rebuild.runner import Progress
from assistant.records import Harm, LeftOut, Outcome, Phrase, PreferenceItem, Source, Span, StrengthPoint
from tests.tui.doubles import ScriptedAssistant
from tui.app import AssistantApp

TEXT = "honestly i would just brew it cold overnight. no fuss, no thermometer, cheers"
CONTEXT = "How should I make iced coffee at home without special equipment?"
MARKDOWN = """Cold brew is the simplest way:

1. Put **80 g** of coarse coffee into a jar.
2. Add one litre of cold water.
3. Wait for *twelve hours*, then strain.

```python
ratio = 80 / 1000
print(f"{ratio:.0%} coffee")
```

| Hours | Taste |
|-------|-------|
| 8     | light |
| 16    | strong |
"""
HOSTILE = (
    "[bold red]no markup[/bold red] <b>no html</b> \x1b[31mred?\x1b[0m \x9b2J \u202eevil\u202c zero\u200bwidth\n\n"
    "日本語の長い文章がここに続きます。絵文字も👩‍👩‍👧 🎉 混ざっています。한국어 문장도 있습니다.\n\n" + "x" * 300
)


def app_of(assistant: ScriptedAssistant, swapped: bool = False) -> AssistantApp:
    """The app around a scripted assistant, with a clock that stands still and a coin that falls as it is told."""
    return AssistantApp(cast("Assistant", assistant), clock=lambda: 0.0, coin=lambda: swapped)


def with_conversations() -> ScriptedAssistant:
    """Three conversations; the newest one has two exchanges."""
    assistant = ScriptedAssistant()
    chat = assistant.chat
    for title in ("Notes for the talk on Tuesday", "A birthday letter", "Iced coffee"):
        conversation = chat.new_conversation()
        chat.rename(conversation.id, title)
        chat.say(conversation.id, "hi there", "Hello! What can I do for you?")
    chat.say(conversation.id, CONTEXT, MARKDOWN)
    return assistant


def with_items() -> ScriptedAssistant:
    """Items of every source, one of them unfit."""
    assistant = with_conversations()
    rows = [
        (Source.WRITING, CONTEXT, TEXT, False, ""),
        (
            Source.EDITED,
            "Write a short note to the landlord",
            "hi martin, the tap drips again. could you look?",
            False,
            "",
        ),
        (Source.CHOSEN, "Name three rivers", "Rhine, Danube, Elbe. cheers", True, ""),
        (Source.OWN_MESSAGE, "", "can you make that shorter please", False, ""),
        (Source.WRITING, "", "ok", False, "too short to learn from"),
    ]
    assistant.preferences.learnable = [
        LearnableItem(PreferenceItem(f"i{number}", context, text, source, float(number)), excluded, reason)
        for number, (source, context, text, excluded, reason) in enumerate(rows)
    ]
    return assistant


def with_profile(recommended: bool = True) -> ScriptedAssistant:
    """Items and a profile that helps, or one that does not."""
    assistant = with_items()
    if recommended:
        assistant.profiles.put(profile(1, gain=0.02))
        assistant.profiles.put(profile(2, gain=0.08))
    assistant.profiles.put(profile(3, gain=0.115 if recommended else -0.004, recommended=recommended))
    effects = (2.6, 0.4, -0.1, 0.5, 1.3, 0.1, 0.0, 0.2, 0.1, 1.2, 2.2, 0.4, 0.9, 0.1, 3.1)
    assistant.profiles.explanations["i0"] = Explanation("i0", CONTEXT, TEXT, _spans(TEXT, effects), (), ("i1",), 0, "")
    return assistant


def with_limitation() -> ScriptedAssistant:
    """A profile that the machine did not allow the best method for."""
    assistant = with_items()
    found = profile(1, gain=0.06)
    limitation = (
        "learned inside llama.cpp, by a method whose vectors are weaker than the best one's: torch would need 6.1 GiB "
        "of memory and 2.0 GiB are free; close other programs or choose a smaller model"
    )
    assistant.profiles.put(replace(found, outcome=replace(found.outcome, gain_other=0.034, limitation=limitation)))
    return assistant


def with_vectors() -> ScriptedAssistant:
    """A profile and three imported vectors: one steers, one is off, one is for another model."""
    assistant = with_profile()
    for name in ("formal", "pirate", "haiku"):
        assistant.vectors.add(Path(f"{name}.gguf"))
    assistant.vectors.set_strength("formal", 0.5)
    assistant.vectors.set_enabled("pirate", False)
    steered = assistant.vectors.imported
    steered[2] = replace(steered[2], architecture="qwen2", problem="made for qwen2 models, not llama")
    return assistant


def _spans(text: str, effects: tuple[float, ...]) -> tuple[Span, ...]:
    spans, at = [], 0
    for word, effect in zip(text.split(), effects, strict=False):
        start = text.index(word, at)
        at = start + len(word)
        spans.append(Span(start, at, effect, difference=effect / 10))
    return tuple(spans)


def profile(version: int, gain: float, recommended: bool = True) -> Profile:
    """A version with plausible figures."""
    outcome = Outcome(
        items=24,
        held_back=6,
        left_out=(LeftOut("i4", "too short to learn from"),),
        tokens_scored=3120,
        tokens_cached=0,
        preference_tokens=214,
        phrases=(
            Phrase("honestly", 18.2, 7, ("i0",)),
            Phrase("no fuss", 11.4, 4, ("i0",)),
            Phrase("cheers", 9.9, 5, ("i0", "i2")),
            Phrase("could you look", 4.1, 2, ("i1",)),
        ),
        description="Writes in lower case, short sentences, dry humour. Ends with “cheers”. Skips greetings.",
        description_gain=0.03,
        form="vector" if recommended else "none",
        method="optimized",
        layers=(15,),
        dose=0.12,
        nll_unsteered=3.21,
        nll_steered=3.21 - gain,
        gain_nats_per_token=gain,
        gain_interval=(gain - 0.05, gain + 0.05),
        gain_random=-0.012,
        gain_other=0.021,
        harm=Harm(0.092, 0.021, 0.8, 0.03, -0.04, 0.0, 0.0),
        kl_neutral=0.092,
        curve=(StrengthPoint(0.5, gain / 2, 0.02), StrengthPoint(1.0, gain, 0.09)),
        safe_strength=1.4,
        recommended=recommended,
        reason=""
        if recommended
        else "on the texts kept aside no candidate made your words likelier within the harm limits",
        seconds={"load": 3.0, "effects": 48.0, "vector": 30.0, "calibration": 61.0},
    )
    when = datetime(2026, 3, 10 + version, 18, 30)
    return Profile(version, when, "f" * 16, outcome.description, False, outcome, recommended, False, True)


PROGRESS = [
    Progress("model", 1, 8, 1, 1, 3.2, None),
    Progress("effects", 2, 8, 9, 24, 41.0, 122.0),
]
