"""A store in a folder of its own, and a second, raw connection as the oracle."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from storage.store import Store

RawQuery = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "history.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for all examples of a property test."""
    with Store(tmp_path_factory.mktemp("shared") / "data" / "history.db") as opened:
        yield opened


@pytest.fixture
def raw(path: Path) -> RawQuery:
    def query(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(path)) as connection:
            found = connection.execute(sql, parameters).fetchall()
            connection.commit()
            return found

    return query
