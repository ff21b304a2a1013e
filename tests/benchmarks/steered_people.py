"""People whose vectors `assistant evaluate` has made: their texts from DATA, the vectors from its results."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from steering.control_vector import ControlVector
from steering.evaluation.names import SHARED
from steering.evaluation.people import Person
from steering.evaluation.reading import people_of, person_key, read_texts


def steered_people(data: Path, results: Path, architecture: str) -> list[tuple[Person, ControlVector]]:
    """Everybody in `data` whose `steerx-optimized` vector is among the results, at a KL of 0.1 nats."""
    people, _ = people_of(read_texts(data.read_bytes())[0])
    vectors = dict(_vectors(results, architecture))
    return [(person, vectors[key]) for person in people if (key := person_key(person)) in vectors]


def _vectors(results: Path, architecture: str) -> Iterator[tuple[str, ControlVector]]:
    for line in results.read_text(encoding="utf-8").splitlines():
        found = json.loads(line)
        if found["kind"] == "MethodResult" and found["row"]["method"] == SHARED:
            row = found["row"]
            directions = {int(block): np.array(d, np.float32) for block, d in row["vector"].items()}
            yield row["key"], ControlVector(directions, architecture)


def tell(step: str) -> None:
    """Progress on stderr, in one line."""
    print(f"\r{step:<40}", end="" if step else "\n", file=sys.stderr, flush=True)
