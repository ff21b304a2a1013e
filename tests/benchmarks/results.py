"""`python -m tests.benchmarks.results OUTCOME.json ...`: people of several `assistant evaluate` runs in one table."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from steering.evaluation.summary import of_method, pairs_of
from steering.evaluation.table import markdown

_SAME = ("model", "fingerprint", "kl", "methods_version")


def pooled(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All people of the outcomes, with the methods that anybody has; who is in several counts as in the last.

    Raises: ValueError: they are of different models or methods, or there are none.
    """
    if not outcomes:
        raise ValueError("there is no outcome")
    for key in _SAME:
        if len(values := {outcome[key] for outcome in outcomes}) > 1:
            raise ValueError(f"outcomes of different kinds are not pooled: {key} is {', '.join(map(str, values))}")
    names = dict.fromkeys(name for outcome in outcomes for name in outcome["methods"])
    methods = {name: of_method(list(_people(outcomes, name).values())) for name in names}
    return {
        "people": len({own["user_id"] for method in methods.values() for own in method["by_person"]}),
        "left_out": sum(outcome["left_out"] for outcome in outcomes),
        **{key: outcomes[0][key] for key in _SAME},
        "methods": methods,
        "pairs": pairs_of(methods),
    }


def _people(outcomes: Sequence[Mapping[str, Any]], name: str) -> dict[str, Mapping[str, Any]]:
    measured = [outcome["methods"][name] for outcome in outcomes if name in outcome["methods"]]
    return {own["user_id"]: own for method in measured for own in method["by_person"]}


def table(files: Sequence[Path]) -> str:
    """All people of these outcomes, as Markdown.

    Raises: ValueError: they are of different models or methods.
    """
    return markdown(pooled([json.loads(file.read_text(encoding="utf-8")) for file in files]))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outcomes", nargs="+", type=Path, metavar="OUTCOME.json")
    print(table(parser.parse_args().outcomes))


if __name__ == "__main__":
    main()
