"""The file that the engine loads, read by gguf's own reader, against sums in plain numpy."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader

from assistant.errors import AssistantError
from assistant.profile.combination import KEPT, Part, combined_file, forget_combinations
from tests.tiny_models import write_vector

WIDTH = 48

pytestmark = pytest.mark.filterwarnings("error")


def directions(seed: int, *blocks: int, width: int = WIDTH) -> dict[int, np.ndarray]:
    chance = np.random.default_rng(seed)
    return {block: chance.standard_normal(width).astype(np.float32) for block in blocks}


def read(path: Path) -> dict[int, np.ndarray]:
    found = {tensor.name: np.array(tensor.data) for tensor in GGUFReader(path).tensors}
    return {int(name.removeprefix("direction.")): found[name] for name in found}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "profiles"
    made.mkdir()
    return made


@pytest.fixture
def part(tmp_path):
    """A part of a made vector."""

    def make(vector: dict[int, np.ndarray], strength: float) -> Part:
        return Part(write_vector(tmp_path / "part.gguf", vector).read_bytes(), strength)

    return make


@pytest.mark.parametrize(
    "strengths", [(1.0,), (-2.0,), (0.3, 1.0), (1.25, -0.5, 0.1)], ids=["one", "reversed", "two", "three"]
)
def test_it_is_the_sum_of_strength_times_vector(folder, part, strengths):
    blocks = [(1, 2, 7), (2, 3), (7, 30)]
    vectors = [directions(seed, *blocks[seed]) for seed in range(len(strengths))]
    path = combined_file(folder, [part(*pair) for pair in zip(vectors, strengths, strict=True)])
    expected: dict[int, np.ndarray] = {}
    for vector, strength in zip(vectors, strengths, strict=True):
        for block, direction in vector.items():
            expected[block] = expected.get(block, np.zeros(WIDTH)) + strength * direction.astype(np.float64)
    found = read(path)
    assert found.keys() == expected.keys()
    for block, direction in expected.items():
        np.testing.assert_allclose(found[block], direction, rtol=1e-5, atol=1e-6)
    assert GGUFReader(path).get_field("general.architecture").contents() == "controlvector"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(folder) == [path.name]


def test_equal_parts_are_added_once_and_any_other_again(folder, part):
    a, b = directions(1, 1, 2), directions(2, 2)
    first = combined_file(folder, [part(a, 1.0), part(b, 0.5)])
    written = first.stat()
    again = combined_file(folder, [part(a, 1.0), part(b, 0.5)])
    assert again == first
    assert (again.stat().st_ino, again.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
    others = [combined_file(folder, parts) for parts in ([part(a, 1.0), part(b, 0.25)], [part(a, 1.0)])]
    assert len({first, *others}) == 3


@pytest.mark.parametrize("damage", ["flipped bit", "cut", "emptied", "another one's bytes"])
def test_a_damaged_file_is_made_anew(folder, part, damage):
    parts = [part(directions(1, 1, 2), 1.0), part(directions(2, 2), 0.5)]
    path = combined_file(folder, parts)
    whole = path.read_bytes()
    other = combined_file(folder, parts[:1]).read_bytes()
    flipped = bytes([*whole[:-1], whole[-1] ^ 1])
    path.write_bytes({"flipped bit": flipped, "cut": whole[:-9], "emptied": b"", "another one's bytes": other}[damage])
    assert combined_file(folder, parts) == path
    assert path.read_bytes() == whole


def test_old_combinations_are_forgotten_and_nothing_else(folder, part):
    (folder / "version-1.gguf").write_bytes(b"a profile")
    vector = directions(1, 1)
    made = [combined_file(folder, [part(vector, strength / 10)]) for strength in range(1, 9)]
    left = set(folder.iterdir())
    assert folder / "version-1.gguf" in left
    assert made[-1] in left
    assert len(left & set(made)) == KEPT
    forget_combinations(folder)
    assert names(folder) == ["version-1.gguf"]


def test_forgetting_takes_the_drafts_that_a_kill_left(folder, part):
    path = combined_file(folder, [part(directions(1, 1), 1.0)])
    (folder / f"{path.stem}.77.new").write_bytes(b"a draft")
    (folder / f".{path.stem}.77.new.77.new").write_bytes(b"a draft of a draft")
    forget_combinations(folder)
    assert names(folder) == []


def test_what_does_not_fit_is_said_and_leaves_no_file(folder, part):
    with pytest.raises(AssistantError, match=r"cannot be combined \(cannot add vectors of width 48 and 47\).*off"):
        combined_file(folder, [part(directions(1, 1), 1.0), part(directions(2, 1, width=47), 1.0)])
    huge = {1: np.full(WIDTH, 3e38, np.float32)}
    for parts in ([part(huge, 2.0)], [part(huge, 1.0), part(huge, 1.0)]):
        with pytest.raises(AssistantError, match="no finite numbers"):
            combined_file(folder, parts)
    assert names(folder) == []


def test_a_folder_that_is_gone_is_said(tmp_path, part):
    with pytest.raises(AssistantError, match=r"gone: the vectors cannot be combined in it \(No such file"):
        combined_file(tmp_path / "gone", [part(directions(1, 1), 1.0)])
