"""The table of failures promises nothing that no test shows."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLES = (ROOT / "docs" / "reliability.md", ROOT / "SECURITY.md")
NAMED = re.compile(r"(tests/[\w/]+\.py)::(\w+)")


@cache
def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.name)
def test_every_test_that_is_named_exists(table: Path):
    named = NAMED.findall(table.read_text(encoding="utf-8"))
    assert len(named) >= 5
    missing = [
        f"{file}::{test}" for file, test in named if not (ROOT / file).is_file() or test not in names_in(ROOT / file)
    ]
    assert missing == []


def test_every_row_says_all_five_things_and_names_a_test():
    rows = [line for line in TABLES[0].read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    told = [
        [cell.strip() for cell in row.strip("| ").split(" | ")]
        for row in rows
        if not row.startswith(("| ---", "| Failure"))
    ]
    assert len(told) > 30
    assert [cells for cells in told if len(cells) != 5 or not all(cells) or not NAMED.search(cells[4])] == []
