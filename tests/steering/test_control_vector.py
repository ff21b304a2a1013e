from __future__ import annotations

import math
import stat
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from steering.control_vector import ControlVector, ControlVectorError
from tests.tiny_models import write_tiny_model, write_vector

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
moderate = st.floats(-1000, 1000, width=32)
in_folder = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def vectors(draw, elements=finite, width=None) -> ControlVector:
    width = width or draw(st.integers(1, 12))
    blocks = draw(st.lists(st.integers(1, 40), min_size=1, max_size=4, unique=True))
    directions = {block: draw(arrays(np.float32, width, elements=elements)) for block in blocks}
    words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    notes = draw(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), words, max_size=3))
    return ControlVector(directions, draw(words), notes)


def same(one: ControlVector, other: ControlVector) -> bool:
    return one.layers == other.layers and all(
        np.array_equal(one.directions[k], other.directions[k]) for k in one.layers
    )


def close(one: ControlVector, other: ControlVector, tolerance: float = 1e-5) -> bool:
    return one.layers == other.layers and all(
        np.allclose(one.directions[k], other.directions[k], rtol=tolerance, atol=tolerance) for k in one.layers
    )


@pytest.fixture
def vector() -> ControlVector:
    random = np.random.default_rng(1)
    directions = {k: random.standard_normal(32).astype(np.float32) for k in (12, 3)}
    return ControlVector(directions, "llama", {"method": "steerx-caa", "dose": "0.15"})


def test_the_file_holds_what_llama_cpp_reads(tmp_path, vector):
    path = tmp_path / "v.gguf"
    vector.write_gguf(path)
    reader = gguf.GGUFReader(path)
    assert reader.get_field("general.architecture").contents() == "controlvector"
    assert reader.get_field("controlvector.model_hint").contents() == "llama"
    assert reader.get_field("controlvector.layer_count").contents() == 2
    assert reader.get_field("assistant.method").contents() == "steerx-caa"
    assert reader.get_field("assistant.dose").contents() == "0.15"
    assert sorted(t.name for t in reader.tensors) == ["direction.12", "direction.3"]
    for tensor in reader.tensors:
        assert tensor.tensor_type == gguf.GGMLQuantizationType.F32
        assert tensor.shape.tolist() == [32]
        assert np.array_equal(tensor.data, vector.directions[int(tensor.name.removeprefix("direction."))])


@in_folder
@given(written=vectors())
def test_round_trip(tmp_path, written):
    path = tmp_path / "v.gguf"
    written.write_gguf(path)
    found = ControlVector.read_gguf(path)
    assert same(found, written)
    assert (found.model_hint, dict(found.metadata)) == (written.model_hint, dict(written.metadata))


def test_the_file_of_another_tool_is_read(tmp_path, vector):
    path = write_vector(tmp_path / "other.gguf", dict(vector.directions))
    found = ControlVector.read_gguf(path)
    assert same(found, vector)
    assert (found.model_hint, dict(found.metadata)) == ("llama", {})


def test_the_file_is_private_and_whole(tmp_path, vector):
    path = tmp_path / "v.gguf"
    path.write_text("old")
    path.chmod(0o644)
    vector.write_gguf(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_keeps_the_old_file(tmp_path, vector):
    path = tmp_path / "v.gguf"
    vector.write_gguf(path)
    before = path.read_bytes()
    unwritable = vector.with_metadata(note="\ud800")
    with pytest.raises(UnicodeEncodeError):
        unwritable.write_gguf(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_an_oserror(tmp_path, vector):
    with pytest.raises(OSError, match="no_folder"):
        vector.write_gguf(tmp_path / "no_folder" / "v.gguf")


@given(a=vectors(moderate, width=5), b=vectors(moderate, width=5), factor=st.floats(-100, 100, width=32))
def test_arithmetic(a, b, factor):
    assert same(a + b, b + a)
    assert close((a + b) - b, a + b * 0.0, 1e-3)
    assert same(a * 1.0, a)
    assert same(a * factor, factor * a)
    assert close((a + b) * factor, a * factor + b * factor, 0.1)
    assert (a - a).norm() == 0.0
    assert (a * factor).norm() == pytest.approx(abs(factor) * a.norm(), rel=1e-4, abs=1e-4)
    everything = np.concatenate([a.directions[k].astype(np.float64) for k in a.layers])
    assert a.norm() == pytest.approx(math.sqrt(float(everything @ everything)), rel=1e-5, abs=1e-12)


@given(a=vectors())
@example(ControlVector({1: np.full(3, 3e38, np.float32), 2: np.full(3, 1e-38, np.float32)}, ""))
def test_normalized_keeps_the_way_and_drops_the_length(a):
    unit = a.normalized()
    for k, direction in a.directions.items():
        exact = direction.astype(np.float64)
        expected = exact / np.linalg.norm(exact) if exact.any() else exact
        assert np.allclose(unit.directions[k], expected, atol=1e-5)
        assert a.cosine(unit)[k] == pytest.approx(1.0 if exact.any() else 0.0, abs=1e-5)


def test_scaled_to_norms(vector):
    scaled = vector.scaled_to_norms({3: 2.0, 12: 0.5})
    assert [float(np.linalg.norm(scaled.directions[k])) for k in (3, 12)] == pytest.approx([2.0, 0.5])


def test_cosine_only_where_both_steer(vector):
    other = ControlVector({3: -vector.directions[3], 7: vector.directions[3]}, "llama")
    assert vector.cosine(other) == {3: pytest.approx(-1.0)}


def test_it_cannot_be_changed(vector):
    given_array = np.ones(4, np.float32)
    made = ControlVector({1: given_array}, "llama")
    given_array[0] = 5.0
    assert made.directions[1][0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        made.directions[1][0] = 2.0
    with pytest.raises(TypeError):
        vector.directions[5] = given_array


@pytest.mark.parametrize(
    ("directions", "reason"),
    [
        ({}, "at least one"),
        ({0: np.ones(4)}, "block 0 cannot be steered"),
        ({1: np.ones((2, 2))}, "not one dimension"),
        ({1: np.ones(0)}, "not one dimension"),
        ({1: np.array([1.0, math.nan])}, "no finite numbers"),
        ({1: np.array([1.0, 1e39])}, "no finite numbers"),
        ({1: np.ones(4), 2: np.ones(5)}, "differ in length"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_what_llama_cpp_would_not_take_is_refused(directions, reason):
    with pytest.raises(ControlVectorError, match=reason):
        ControlVector(directions, "llama")


def test_vectors_of_other_widths_are_not_added(vector):
    with pytest.raises(ControlVectorError, match="width 32 and 4"):
        vector + ControlVector({3: np.ones(4)}, "llama")


def write(path: Path, tensors: dict[str, np.ndarray], architecture: str = "controlvector") -> Path:
    writer = gguf.GGUFWriter(path, architecture)
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


ONES = np.ones(32, np.float32)


@pytest.mark.parametrize(
    ("tensors", "architecture", "reason"),
    [
        ({"direction.0": ONES}, "controlvector", "block 0 cannot be steered"),
        ({"direction.1": ONES.astype(np.float16)}, "controlvector", "F16 of rank 1; must be F32"),
        ({"direction.1": ONES.reshape(4, 8)}, "controlvector", "F32 of rank 2"),
        ({"direction.1": ONES}, "llama", "a llama file, not a control vector"),
        ({"direction.1": ONES, "bias.1": ONES}, "controlvector", "unexpected tensor 'bias.1'"),
        ({"direction.-1": ONES}, "controlvector", "unexpected tensor"),
        ({"1": ONES}, "controlvector", "unexpected tensor '1'"),
        ({"direction.": ONES}, "controlvector", "unexpected tensor"),
        ({"direction.٣": ONES}, "controlvector", "unexpected tensor"),
        ({"direction.1": ONES, "direction.01": ONES}, "controlvector", "direction.01"),
        ({"direction.1": ONES, "direction.2": ONES[:8]}, "controlvector", "differ in length"),
        ({"direction.1": ONES * np.inf}, "controlvector", "no finite numbers"),
        ({}, "controlvector", "at least one direction"),
    ],
)
def test_a_file_llama_cpp_would_refuse_is_refused(tmp_path, tensors, architecture, reason):
    path = write(tmp_path / "v.gguf", tensors, architecture)
    with pytest.raises(ControlVectorError, match=reason):
        ControlVector.read_gguf(path)


def test_a_model_is_no_control_vector(tmp_path):
    with pytest.raises(ControlVectorError, match="a llama file, not a control vector"):
        ControlVector.read_gguf(write_tiny_model(tmp_path / "model.gguf"))


@pytest.mark.parametrize("content", [None, b"", b"GGUF", b"plain text, no model at all"])
def test_no_gguf_file_at_all(tmp_path, content):
    path = tmp_path / "v.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ControlVectorError, match=r"v\.gguf"):
        ControlVector.read_gguf(path)
    with pytest.raises(ControlVectorError):
        ControlVector.read_gguf(tmp_path)


def refused_or_read(path: Path) -> ControlVector | None:
    try:
        return ControlVector.read_gguf(path)
    except ControlVectorError:
        return None


def test_every_truncation_is_refused(tmp_path, vector):
    path = tmp_path / "v.gguf"
    vector.write_gguf(path)
    whole = path.read_bytes()
    last = max(t.data_offset + t.n_bytes for t in gguf.GGUFReader(path).tensors)
    for length in range(0, last, 3):
        path.write_bytes(whole[:length])
        assert refused_or_read(path) is None, length


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"a\n", "it ends early"), (b"x" * 400, "magic invalid"), (b"GGUF\x03\0\0\0", "it ends early")],
)
def test_what_is_wrong_is_said_in_words(tmp_path, content, why):
    path = tmp_path / "v.gguf"
    path.write_bytes(content)
    with pytest.raises(ControlVectorError, match=rf"v\.gguf: cannot be read as a GGUF control vector \([^()]*{why}\)$"):
        ControlVector.read_gguf(path)


@in_folder
@given(content=st.binary(max_size=400), magic=st.booleans())
def test_random_bytes_are_refused(tmp_path, content, magic):
    path = tmp_path / "v.gguf"
    header = b"GGUF\x03\x00\x00\x00" if magic else b""
    path.write_bytes(header + content)
    assert refused_or_read(path) is None


@settings(in_folder, max_examples=300)
@given(data=st.data())
def test_damaged_files_are_refused_or_read_at_once(tmp_path, vector, data):
    path = tmp_path / "v.gguf"
    vector.write_gguf(path)
    content = bytearray(path.read_bytes())
    header = len(content) - 2 * vector.width * 4
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(8, header))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    refused_or_read(path)


def array_file(inner: bytes) -> bytes:
    """A header whose only value is an array with `inner` as its element type, length and content."""
    key = (1).to_bytes(8, "little") + b"a"
    counts = (0).to_bytes(8, "little") + (1).to_bytes(8, "little")
    return b"GGUF\x03\x00\x00\x00" + counts + key + (9).to_bytes(4, "little") + inner


@pytest.mark.parametrize(
    "inner",
    [
        (0).to_bytes(4, "little") + (2**62).to_bytes(8, "little") + b"abc",
        (8).to_bytes(4, "little") + (2**62).to_bytes(8, "little") + b"abc",
        ((9).to_bytes(4, "little") + (1).to_bytes(8, "little")) * 5000,
    ],
    ids=["endless numbers", "endless strings", "arrays in arrays"],
)
def test_a_hostile_header_neither_hangs_nor_crashes(tmp_path, inner):
    path = tmp_path / "v.gguf"
    path.write_bytes(array_file(inner))
    with pytest.raises(ControlVectorError):
        ControlVector.read_gguf(path)


@given(a=vectors())
def test_notes_are_added_without_touching_the_rest(a):
    noted = a.with_metadata(created="today")
    assert same(noted, a) and noted.model_hint == a.model_hint
    assert dict(noted.metadata) == {**a.metadata, "created": "today"}
