"""`python -m tests.benchmarks.results OUTCOME.json ...`: people of several runs of `assistant evaluate` in one table."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from steering.evaluation.pooling import pooled
from steering.evaluation.table import markdown


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
