"""The outcome of an evaluation as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steering.evaluation.names import STEERX

COLUMNS = (
    ("KL", "kl_neutral", ".3f"),
    ("perplexity", "perplexity", ".1f"),
    ("accuracy", "accuracy", ".1%"),
    ("ROUGE-1", "rouge_1", ".3f"),
    ("ROUGE-L", "rouge_l", ".3f"),
    ("METEOR", "meteor", ".3f"),
    ("attribution", "attribution", ".0%"),
    ("distinct-2", "distinct_2", ".2f"),
    ("repetition", "repetition", ".2f"),
    ("words", "words", ".0f"),
    ("s", "seconds", ".0f"),
    ("MiB", "peak_mib", ".0f"),
)
AGAINST = ("other-person", "random", "description-prompt", "retrieval-prompt")
"""What SteerX is held against beside its own backbone."""
NOT_MEASURED = "–"


def markdown(found: Mapping[str, Any]) -> str:
    """Methods by gain, with the figures that were measured, then the pairs that tell whether SteerX is worth it."""
    columns = [
        column for column in COLUMNS if any(method[column[1]] is not None for method in found["methods"].values())
    ]
    lines = [
        f"{found['people']} people, {found['left_out']} lines left out; {found['model']}; vectors at KL {found['kl']}",
        *limitation(found),
        "",
        _row("method", "gain, nats/token", "95 %", "helped", *(title for title, _, _ in columns)),
        _row(*["---"] * (4 + len(columns))),
    ]
    for name, method in sorted(found["methods"].items(), key=lambda entry: entry[1]["gain_mean"]):
        gain = (f"{method['gain_mean']:+.3f}", _interval(method["gain_ci"]), f"{method['share_helped']:.0%}")
        own = len(method["by_person"])
        shown = name if own == found["people"] else f"{name} ({own} people)"
        lines.append(_row(shown, *gain, *(_figure(method[key], form) for _, key, form in columns)))
    lines += _shared(found)
    lines += ["", _row("difference on the same people", "nats/token", "95 %", "people"), _row(*["---"] * 4)]
    for name, pair in found["pairs"].items():
        if _tells(name):
            people = f"{pair['people']} ({pair['better']} for the first)"
            lines.append(_row(name, f"{pair['diff']:+.4f}", _interval(pair["ci"], "+.4f"), people))
    return "\n".join(lines)


def limitation(found: Mapping[str, Any]) -> list[str]:
    """A line on how the estimator was less than it could be; none where it was not."""
    return [f"Made less well than possible: {found['limitation']}"] if found.get("limitation") else []


def _shared(found: Mapping[str, Any]) -> list[str]:
    """A line on what several methods need; none where an outcome of before does not know it."""
    if "shared" not in found:
        return []
    seconds = {"effects": found["effects"]["seconds"], **found["shared"]["seconds_by_stage"]}
    stages = ", ".join(f"{stage} {spent:.1f} s" for stage, spent in seconds.items() if spent is not None)
    return ["", f"What methods share, in no method's s, a person: {stages}"]


def _tells(pair: str) -> bool:
    """Whether it holds SteerX against its backbone, or the best of it against another baseline."""
    first, second = pair.split(">")
    own = first in (STEERX + second, f"{STEERX}{second}-sum")
    return own or (first == f"{STEERX}optimized" and second in AGAINST)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _interval(ends: list[float] | None, form: str = "+.3f") -> str:
    return " to ".join(format(end, form) for end in ends) if ends else NOT_MEASURED


def _figure(value: float | None, form: str) -> str:
    return NOT_MEASURED if value is None else format(value, form)
