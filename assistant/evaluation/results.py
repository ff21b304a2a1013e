"""Results of evaluations on disk: a JSON line a person and method, so that nothing is ever measured twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pydantic_core
from pydantic import TypeAdapter, ValidationError

from assistant.errors import AssistantError
from assistant.evaluation.following_protocol import FollowingResult, ProfileLearned
from assistant.evaluation.protocol import EffectsFound, Learner, MethodResult, TooLong
from steering.effects.history import METHOD
from storage.private_files import create_private_file

Row = Learner | EffectsFound | MethodResult | TooLong | ProfileLearned | FollowingResult
ANY_RUN = f"effects {METHOD}"
"""Stands for the run where a row is of every run: effects depend on the texts and the estimator alone."""
_KINDS: dict[str, TypeAdapter[Any]] = {kind.__name__: TypeAdapter(kind) for kind in get_args(Row)}


class Results:
    """Rows of one file. `run` names what a row depends on beside its person and method: model, seed, versions.

    What one estimator measured does not count beside what another did: only rows of the one in use are there. Effects
    are the same whatever else is measured, so those of all runs are.
    """

    def __init__(self, path: Path, run: str) -> None:
        """Open or make the file, readable by the user only: what it holds tells of texts. The newest rows are in use.

        Raises: AssistantError: it cannot be read or written.
        """
        self._path, self._run = path, run
        try:
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                create_private_file(path)
            elif path.stat().st_size and not path.read_bytes().endswith(b"\n"):
                self._append(b"\n")  # a run was killed while it wrote
            self._rows: dict[str, list[Row]] = {}
            self._effects: dict[str, list[EffectsFound]] = {}
            for estimator, row in self._read():
                self._keep(estimator, row)
        except OSError as error:
            raise AssistantError(f"{path}: results cannot be kept there ({error.strerror or error})") from error
        self.use(next(iter(self.estimators), ""))

    @property
    def estimators(self) -> tuple[str, ...]:
        """The fingerprints of those that measured, who was the last first; behind them who found effects alone."""
        return tuple(dict.fromkeys((*reversed(self._rows), *reversed(self._effects))))

    def use(self, estimator: str) -> None:
        """From now on what this estimator measured counts, and what is added is its own."""
        self.estimator = estimator
        self.learner: Learner | None = None
        self.effects: dict[str, EffectsFound] = {}
        self.methods: dict[tuple[str, str], MethodResult] = {}
        self.with_others: dict[tuple[str, str], MethodResult] = {}
        self.too_long: dict[tuple[str, str], TooLong] = {}
        self.profiles: dict[str, ProfileLearned] = {}
        self.following: dict[tuple[str, str], FollowingResult] = {}
        self.following_others: dict[tuple[str, str], FollowingResult] = {}
        for row in (*self._effects.get(estimator, ()), *self._rows.get(estimator, ())):
            self._remember(row)

    def add(self, row: Row) -> None:
        """Keep a row.

        Raises: AssistantError: there is no room for it.
        """
        run = ANY_RUN if isinstance(row, EffectsFound) else self._run
        line = {"run": run, "estimator": self.estimator, "kind": type(row).__name__, "row": row}
        try:
            self._append(pydantic_core.to_json(line) + b"\n")
        except OSError as error:
            raise AssistantError(f"{self._path}: results cannot be kept there ({error.strerror or error})") from error
        self._keep(self.estimator, row)
        self._remember(row)

    def _keep(self, estimator: str, row: Row) -> None:
        """Among the estimator's rows, which are the newest then; effects move nothing."""
        if isinstance(row, EffectsFound):
            self._effects.setdefault(estimator, []).append(row)
            return
        rows = self._rows.pop(estimator, [])
        rows.append(row)
        self._rows[estimator] = rows

    def _remember(self, row: Row) -> None:
        match row:
            case Learner():
                self.learner = row
            case MethodResult() if row.other_key:
                self.with_others[row.key, row.other_key] = row
            case MethodResult():
                self.methods[row.key, row.method] = row
            case TooLong():
                self.too_long[row.key, row.item_id] = row
            case EffectsFound():
                self.effects[row.key] = row
            case ProfileLearned():
                self.profiles[row.key] = row
            case FollowingResult() if row.other_key:
                self.following_others[row.key, row.other_key] = row
            case FollowingResult():
                self.following[row.key, row.method] = row

    def _append(self, line: bytes) -> None:
        with self._path.open("ab") as file:
            file.write(line)

    def _read(self) -> Iterator[tuple[str, Row]]:
        """The rows of this run by estimator; a line that was cut short or is of another version is passed over."""
        with self._path.open("rb") as file:
            for line in file:
                try:
                    found: Any = json.loads(line)
                    if found["run"] in (self._run, ANY_RUN):
                        yield found["estimator"], _KINDS[found["kind"]].validate_python(found["row"])
                except (ValueError, KeyError, TypeError, ValidationError):
                    continue
