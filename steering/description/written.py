"""The description by the chat model: it fills in a form, and what it says is checked against the person's texts.

Left free, models of 135M and 0.5B answer the texts, copy them or describe the form. So a grammar offers closed choices
for what is a matter of judgement; only topics are in the model's own words, and must be words of the person's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence

from steering.description.common import WORD, common_words
from steering.description.habits import FIRST_PERSON, Habits, length_sentence, manner, measure_habits
from steering.effects.vetoes import vetoed_spans
from steering.items import PreferenceItem
from steering.models.chat_model import ChatModel
from steering.profile import Phrase
from steering.prompts import well_formed

WRITTEN_TOKENS = 160
"""A form takes about 80; a reply that is cut loses its last field."""
REQUEST_EXCERPTS = 3
EXCERPT_CHARACTERS = 150
PHRASES_CHARACTERS = 240
MOST_TOPICS = 5
TOPIC_WORDS = 3
WORD_CHARACTERS = 18

_TONES = (
    *("formal", "informal", "friendly", "warm", "personal", "direct", "dry", "blunt", "polite", "humorous", "playful"),
    *("sarcastic", "enthusiastic", "calm", "critical", "thoughtful", "factual", "precise", "casual", "opinionated"),
    *("modest", "confident", "emotional", "nostalgic", "chatty", "helpful", "serious", "ironic"),
)
CHOICES: Mapping[str, tuple[tuple[str, ...], int]] = {
    "tone": (_TONES, 3),
    "structure": (
        (
            *("told as a story", "an explanation", "an argument with reasons", "steps to follow", "a list of points"),
            *("a short answer first and details after", "loose thoughts", "a question answered"),
        ),
        1,
    ),
    "vocabulary": (
        (
            *("everyday words", "technical terms", "slang", "names of people and places", "numbers and units"),
            *("abbreviations", "strong words", "words of feeling"),
        ),
        2,
    ),
    "wishes": (
        (
            *("examples", "reasons", "sources and links", "exact figures", "practical advice", "humour"),
            *("personal experience", "a clear opinion", "brevity", "detail"),
        ),
        2,
    ),
}
"""What may be said of a field, and how much of it at most."""
FIELDS = ("tone", "structure", "vocabulary", "topics", "wishes")
_LETTERS = r"[a-zA-Z0-9'\u00C0-\u1FFF\u2C00-\uD7FF-]"


def written_description(
    chat: ChatModel, items: Sequence[PreferenceItem], phrases: Sequence[Phrase], vetoed: Collection[str] = ()
) -> str:
    """A few sentences from what the chat model filled in, without what is vetoed; empty where nothing it said holds."""
    habits = measure_habits([item.text for item in items])
    request = form_request(items, phrases, habits)
    reply = chat.reply(request, max_tokens=WRITTEN_TOKENS, greedy=True, grammar=form_grammar(habits))
    form = read_form(reply, items, habits)
    topics = [topic for topic in form["topics"] if not vetoed_spans(topic, vetoed)]
    return sentences(form | {"topics": topics}, habits)


def form_request(items: Sequence[PreferenceItem], phrases: Sequence[Phrase], habits: Habits) -> str:
    """What the chat model is asked, in at most 1,000 characters: newest texts, phrases, habits, the form."""
    newest = sorted(items, key=lambda item: item.order)[-REQUEST_EXCERPTS:]
    excerpts = "\n".join(f"- {_shortened(item.text, EXCERPT_CHARACTERS)} ..." for item in newest)
    shown = _shortened(", ".join(phrase.text for phrase in phrases), PHRASES_CHARACTERS)
    used = f"Words this person uses more than others: {shown}\n" if shown else ""
    return (
        f"Texts by one person:\n{excerpts}\n\n{used}Measured: {length_sentence(habits)}\n\n"
        f"Describe how this person writes, in JSON, with a few words for each of: {', '.join(FIELDS)}."
    )


def form_grammar(habits: Habits) -> str:
    """Grammar (GBNF) of the form as one JSON object; every field may be empty."""
    fields = [f"{_literal(json.dumps(name) + ': ')} {name}" for name in FIELDS]
    rules = [
        f'root ::= "{{" {_literal(", ").join(f" {field} " for field in fields)} "}}"',
        _listed("topics", "topic", MOST_TOPICS),
        f'topic ::= word (" " word){{0,{TOPIC_WORDS - 1}}}',
        f"word ::= {_LETTERS}{{1,{WORD_CHARACTERS}}}",
    ]
    for name, (options, most) in CHOICES.items():
        allowed = (option for option in options if option not in _contradicted(habits))
        rules.append(_listed(name, f"{name}-choice", most))
        rules.append(f"{name}-choice ::= {' | '.join(map(_literal, allowed))}")
    return "\n".join(rules) + "\n"


def read_form(reply: str, items: Sequence[PreferenceItem], habits: Habits) -> dict[str, list[str]]:
    """What holds in each field of a reply, whole or cut: a choice that is offered, a topic of the person's."""
    said = {name: _said(reply, name) for name in FIELDS}
    found = {
        name: [part for part in said[name] if part in options and part not in _contradicted(habits)][:most]
        for name, (options, most) in CHOICES.items()
    }
    own = {word.casefold() for item in items for word in WORD.findall(item.text)}
    return found | {"topics": [part for part in said["topics"] if _is_topic(part, own)][:MOST_TOPICS]}


def sentences(form: Mapping[str, Sequence[str]], habits: Habits) -> str:
    """Two to four plain sentences; empty for an empty form."""
    if not any(form.values()):
        return ""
    built = [*form["structure"], f"in {_joined(form['vocabulary'])}" if form["vocabulary"] else ""]
    habit = "; ".join(sentence.rstrip(".") for sentence in manner(habits)).capitalize()
    said = [
        f"The tone is {_joined(form['tone'])}." if form["tone"] else "",
        ": ".join(filter(None, (length_sentence(habits).rstrip("."), ", ".join(filter(None, built))))) + ".",
        f"{habit}." if habit else "",
        f"Topics: {', '.join(form['topics'])}." if form["topics"] else "",
        f"Values {_joined(form['wishes'])}." if form["wishes"] else "",
    ]
    return " ".join(filter(None, said))


def _contradicted(habits: Habits) -> frozenset[str]:
    """Choices that the measured habits speak against."""
    if habits.contraction_share >= 0.015 or habits.first_person_share >= 0.03:
        return frozenset({"formal"})
    return frozenset({"informal", "casual", "chatty", "slang"} if habits.english else ())


def _said(reply: str, name: str) -> list[str]:
    """The parts of one field, each once; none where the field is missing, cut or no text."""
    match = re.search(rf'"{name}"\s*:\s*("(?:[^"\\]|\\.)*")', reply)
    try:
        value = json.loads(match.group(1)) if match else ""
    except json.JSONDecodeError:
        return []
    parts = (" ".join(part.split()) for part in well_formed(value).split(","))
    return list(dict.fromkeys(part for part in parts if part))


def _is_topic(part: str, own: set[str]) -> bool:
    """Whether these are at most TOPIC_WORDS words of the person's, none about themselves or used by everybody."""
    words = part.casefold().split()
    known = all(word in own and len(word) <= WORD_CHARACTERS for word in words)
    topical = not FIRST_PERSON.search(part) and not {words[0], words[-1]} & common_words()
    return known and topical and len(words) <= TOPIC_WORDS


def _listed(name: str, one: str, most: int) -> str:
    return rf'{name} ::= "\"" ({one} (", " {one}){{0,{most - 1}}})? "\""'


def _literal(text: str) -> str:
    """The text as a literal of a grammar, which escapes as JSON does."""
    return json.dumps(text)


def _joined(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def _shortened(text: str, characters: int) -> str:
    """The beginning of a text on one line, cut between words."""
    line = " ".join(text.split())
    return line if len(line) <= characters else line[:characters].rsplit(" ", 1)[0]
