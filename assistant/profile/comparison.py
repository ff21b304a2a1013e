"""What changed between two versions of the profile."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from assistant.records import Outcome

MOST_PHRASES = 12


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of both versions, as shown."""

    name: str
    before: str
    after: str

    @property
    def changed(self) -> bool:
        """Whether it differs as far as it is shown."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Comparison:
    """From version `before` to version `after`.

    Attributes:
        items_added, items_removed, items_changed: the texts they learned from; None where one of them was imported,
            as its texts are elsewhere.
        description: lines that begin with "+ ", "- " or, where both have them, two spaces.
        figures: method, blocks, dose, gain, harm and the like, changed or not.
    """

    before: int
    after: int
    items_added: tuple[str, ...] | None
    items_removed: tuple[str, ...] | None
    items_changed: tuple[str, ...] | None
    phrases_added: tuple[str, ...]
    phrases_removed: tuple[str, ...]
    description: tuple[str, ...]
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Side:
    """What is compared of a version; `items` is the hash of each text by its name, None where it was imported."""

    version: int
    description: str
    outcome: Outcome
    items: Mapping[str, str] | None


def compare(before: Side, after: Side) -> Comparison:
    """What one has and the other has not."""
    old, new = before.items, after.items
    known = old is not None and new is not None
    olds, news = old or {}, new or {}
    phrases_old = [phrase.text for phrase in before.outcome.phrases]
    phrases_new = [phrase.text for phrase in after.outcome.phrases]
    lines = difflib.ndiff(before.description.splitlines(), after.description.splitlines())
    return Comparison(
        before.version,
        after.version,
        items_added=tuple(name for name in news if name not in olds) if known else None,
        items_removed=tuple(name for name in olds if name not in news) if known else None,
        items_changed=tuple(name for name in olds if name in news and olds[name] != news[name]) if known else None,
        phrases_added=tuple(text for text in phrases_new if text not in phrases_old),
        phrases_removed=tuple(text for text in phrases_old if text not in phrases_new),
        description=tuple(line for line in lines if not line.startswith("? ")),
        figures=tuple(
            Figure(name, a, b)
            for (name, a), (_, b) in zip(_figures(before.outcome), _figures(after.outcome), strict=True)
        ),
    )


def comparison_lines(found: Comparison) -> list[str]:
    """It in plain lines, for a terminal or a screen; text in it is as it was written."""
    lines = [f"Version {found.before} → version {found.after}", ""]
    lines += [
        f"{'≠' if figure.changed else ' '} {figure.name:<13} {figure.before:>18}  →  {figure.after}"
        for figure in found.figures
    ]
    lines.append("")
    if found.items_added is None or found.items_removed is None or found.items_changed is None:
        lines.append("Texts: not known, as an imported version does not name its texts")
    else:
        for name, items in (("+", found.items_added), ("-", found.items_removed), ("≠", found.items_changed)):
            lines.append(_listed(f"{name} texts", items))
    lines += [_listed("+ phrases", found.phrases_added), _listed("- phrases", found.phrases_removed), ""]
    return [*lines, "Description:", *(found.description or ("(both have none)",))]


def _listed(name: str, entries: tuple[str, ...]) -> str:
    shown = ", ".join(" ".join(entry.split()) for entry in entries[:MOST_PHRASES])
    more = f" and {len(entries) - MOST_PHRASES} more" if len(entries) > MOST_PHRASES else ""
    return f"{name} ({len(entries)}): {shown}{more}" if entries else f"{name}: none"


def _figures(outcome: Outcome) -> list[tuple[str, str]]:
    low, high = outcome.gain_interval
    return [
        ("texts", f"{outcome.items:,}"),
        ("form", outcome.form),
        ("method", outcome.method),
        ("blocks", ", ".join(map(str, outcome.layers)) or "none"),
        ("dose", f"{outcome.dose:.3g}"),
        ("gain", f"{outcome.gain_nats_per_token:+.3f}"),
        ("95 % of it", f"{low:+.3f} to {high:+.3f}"),
        ("random vector", f"{outcome.gain_random:+.3f}"),
        ("KL", f"{outcome.kl_neutral:.3f}"),
        ("NLL rise", f"{outcome.harm.nll_rise:+.3f}"),
        ("accuracy drop", f"{outcome.harm.accuracy_drop:+.2f}"),
        ("repetition", f"{outcome.harm.repetition_rise:+.1%}"),
        ("reply length", f"{outcome.harm.length_change:+.1%}"),
        ("safe strength", f"{outcome.safe_strength:g}"),
    ]
