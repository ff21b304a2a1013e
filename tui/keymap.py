"""The person's own keys: what in the settings can be obeyed, and what is wrong with the rest."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from textual.binding import Binding, BindingType
from textual.keys import KEY_NAME_REPLACEMENTS, Keys, format_key

Section = tuple[str, Sequence[BindingType]]
"""A place, and the keys of it."""

_SIGNS = {unicodedata.name(chr(code)).lower().replace(" ", "_").replace("-", "_") for code in range(0x21, 0x7F)}
"""Names as "plus_sign", which Textual has shorter ones for; the program's own keys are called by these."""
_NAMED = {key.value for key in Keys} | {f"f{number}" for number in range(1, 25)}
_NAMED |= {KEY_NAME_REPLACEMENTS.get(sign, sign) for sign in _SIGNS}
_KEY = re.compile(r"((?:ctrl|shift|alt|super|meta)\+)*(?P<last>.+)")
EVERYWHERE = "Everywhere"
WITHIN = " › "
"""Between a place and a part of it, in which the keys of both are obeyed."""
PARTS: Mapping[str, tuple[str, ...]] = {
    "Chat": ("Writing", "On a message", "Conversations", "Searching"),
    f"Settings{WITHIN}What I think you like": tuple(
        f"Settings{WITHIN}{name}" for name in ("Strength", "Phrases", "Vectors", "What moved the vector")
    ),
}
"""Places whose keys are obeyed beside those of the one they are in."""


@dataclass(frozen=True, slots=True)
class Keymap:
    """What is obeyed: keys by the id of a binding; and a line for each that is not, with the reason."""

    keys: Mapping[str, str]
    problems: tuple[str, ...]


def bindings_of(sections: Iterable[Section]) -> dict[str, Binding]:
    """Everything that can have other keys, by its id."""
    return {one.id: one for _, bindings in sections for one in bindings if isinstance(one, Binding) and one.id}


def keymap_of(wanted: Mapping[str, str], sections: Sequence[Section]) -> Keymap:
    """What of the wanted keys can be obeyed; a faulty one leaves that binding its own keys."""
    known = bindings_of(sections)
    keys: dict[str, str] = {}
    problems = []
    for name, text in wanted.items():
        if name not in known:
            problems.append(f"“{name}” is nothing that a key does")
        elif problem := problem_with(name, text, sections, keys):
            problems.append(problem)
        else:
            keys[name] = tidy(text)
    return Keymap(keys, tuple(problems))


def problem_with(name: str, text: str, sections: Sequence[Section], others: Mapping[str, str]) -> str:
    """Why a binding cannot have these keys beside the `others`; empty where it can."""
    parts = tidy(text).split(",")
    for part in parts:
        if not _is_key(part):
            return f"{name}: “{part}” is no key"
        if instead := _never_comes(part):
            return f"{name}: a terminal sends “{instead}” for “{part}”; write that"
    for key in parts:
        for title, bindings in _met_by(name, sections):
            for other in bindings:
                if isinstance(other, Binding) and other.id != name and key in _keys(other, others):
                    return f"{name}: {key} already means “{other.tooltip or other.description}” ({place(title)})"
    return ""


def key_names(sections: Iterable[Section], keys: Mapping[str, str]) -> dict[str, str]:
    """What the first key of every binding is called in a sentence, by the binding's id; `keys` are a person's own."""
    return {name: _called(binding, keys.get(name)) for name, binding in bindings_of(sections).items()}


def _called(binding: Binding, own: str | None) -> str:
    if own is None and binding.key_display:
        return binding.key_display
    # Textual gives signs their names, as in "ctrl+question_mark".
    modifiers, key = next(iter(Binding.make_bindings([binding.with_key(own or binding.key)]))).parse_key()
    return "+".join([*modifiers, "enter" if key == "enter" else format_key(key)])


def place(title: str) -> str:
    """The title of a section without how one gets there."""
    return title.split(" (", maxsplit=1)[0]


def tidy(text: str) -> str:
    """Keys without blanks, commas between them."""
    return ",".join(part.strip() for part in text.split(","))


def _is_key(text: str) -> bool:
    found = _KEY.fullmatch(text)
    return found is not None and (len(found["last"]) == 1 or found["last"] in _NAMED or text in _NAMED)


def _never_comes(text: str) -> str:
    """What a terminal sends in place of a letter with shift; empty where it sends the key itself."""
    letter = text.removeprefix("shift+")
    return letter.upper() if letter != text and len(letter) == 1 and letter.isalpha() else ""


def _keys(binding: Binding, others: Mapping[str, str]) -> set[str]:
    own = others.get(binding.id or "", binding.key)
    return {key.strip() for key in own.split(",")}


def _met_by(name: str, sections: Sequence[Section]) -> list[Section]:
    """The places where a binding and those of that place are active together."""
    own = [title for title, bindings in sections if any(isinstance(b, Binding) and b.id == name for b in bindings)]
    if EVERYWHERE in own:
        return list(sections)
    return [section for section in sections if section[0] == EVERYWHERE or any(_together(section[0], t) for t in own)]


def _together(one: str, other: str) -> bool:
    return one == other or _within(one, other) or _within(other, one)


def _within(part: str, whole: str) -> bool:
    return part.startswith(f"{whole}{WITHIN}") or place(part) in PARTS.get(place(whole), ())
