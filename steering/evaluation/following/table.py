"""The outcome of preference following as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from steering.evaluation.names import UNSTEERED
from steering.evaluation.table import NOT_MEASURED, limitation


def following_markdown(found: Mapping[str, Any]) -> str:
    """Each method, then the differences between own and others' profiles."""
    lines = [
        f"{found['people']} people of {found['each']} preferences, {found['pairs_scored']} pairs, "
        f"{found['left_out']} lines left out; {found['model']}; vectors at KL {found['kl']}",
        *limitation(found),
        "",
        *_table(
            ("method", "pairs right", "95 %", "change", "95 %", "margin", "95 %", "change", "95 %", "better", "KL"),
            [_method(name, method) for name, method in found["methods"].items()],
        ),
        "",
        "Margins and their changes in nats/token; changes against unsteered on the same people.",
    ]
    if found["differences"]:
        rows = [_difference(name, pair) for name, pair in found["differences"].items()]
        lines += ["", *_table(("difference", "people", "pairs right", "95 %", "margin", "95 %"), rows)]
    return "\n".join(lines)


def _method(name: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    changes = ("", "", "", "") if name == UNSTEERED else _changes(found)
    return (
        name,
        f"{found['share_right']:.1%}",
        _ends(found["share_right_ci"], ".1%"),
        *changes[:2],
        f"{found['margin']:+.3f}",
        _ends(found["margin_ci"], "+.3f"),
        *changes[2:],
        "" if name == UNSTEERED else f"{found['people_better']:.0%}",
        "" if found["kl_neutral"] is None else f"{found['kl_neutral']:.3f}",
    )


def _difference(name: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    return name, str(found["people"]), *_changes(found)


def _changes(found: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Of the share in percentage points, of the margin in nats/token, each with its interval."""
    return (
        f"{100 * found['share_change']:+.1f}",
        _ends(found["share_change_ci"], "+.1f", 100),
        f"{found['margin_change']:+.3f}",
        _ends(found["margin_change_ci"], "+.3f"),
    )


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (titles, ["---"] * len(titles), *rows)]


def _ends(ends: Sequence[float] | None, form: str, factor: int = 1) -> str:
    return " to ".join(format(factor * end, form) for end in ends) if ends else NOT_MEASURED
