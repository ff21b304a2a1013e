"""Headers against the gguf package's own reader; damage of every kind is a ModelError in words."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from gguf import GGUFReader, GGUFWriter
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import ModelError
from assistant.models.bundled import bundled_model
from assistant.models.gguf_file import read_contents
from assistant.models.header import read_header
from tests.tiny_models import write_tiny_model, write_vector


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "damaged.gguf"


@pytest.mark.bundled
def test_header_is_what_the_gguf_package_reads():
    path = bundled_model()
    header, reader = read_header(path), GGUFReader(path)

    def value(key):
        return reader.fields[key].contents()

    assert header.name == value("general.name")
    assert header.architecture == value("general.architecture")
    assert header.blocks == value("llama.block_count")
    assert header.width == value("llama.embedding_length")
    assert header.context_length == value("llama.context_length")
    assert header.vocabulary == len(value("tokenizer.ggml.tokens"))
    assert header.data_start == reader.data_offset
    assert header.size == path.stat().st_size
    assert (header.quantization, header.has_chat_template) == ("Q4_1", True)
    contents = read_contents(path)
    assert [tensor.name for tensor in contents.tensors] == [tensor.name for tensor in reader.tensors]
    ours = [contents.data_start + tensor.offset for tensor in contents.tensors]
    assert ours == [tensor.data_offset for tensor in reader.tensors]


def test_model_without_a_template_says_so(tmp_path):
    path = write_tiny_model(tmp_path / "plain.gguf", chat_template=None)
    header = read_header(path)
    assert (header.has_chat_template, header.quantization, header.name) == (False, "F32", "Tiny")


@pytest.mark.parametrize("missing", [1, 4096, 200_000])
def test_truncated_weights_are_counted(tiny, scratch, missing):
    scratch.write_bytes(tiny.read_bytes()[:-missing])
    with pytest.raises(ModelError, match=rf"damaged\.gguf: truncated: {missing:,} bytes missing"):
        read_header(scratch)


@given(share=st.floats(0, 1, exclude_max=True))
def test_any_shorter_file_is_refused(tiny, scratch, share):
    data = tiny.read_bytes()
    scratch.write_bytes(data[: int(len(data) * share * share * share)])
    with pytest.raises(ModelError, match=r"truncated|not a GGUF file"):
        read_header(scratch)


@given(st.lists(st.tuples(st.integers(0, 5500), st.integers(0, 255)), min_size=1, max_size=8))
def test_flipped_header_bytes_never_raise_anything_else(tiny, scratch, flips):
    data = bytearray(tiny.read_bytes())
    for at, byte in flips:
        data[at] = byte
    scratch.write_bytes(data)
    try:
        read_header(scratch)
    except ModelError as error:
        assert str(scratch) in str(error)


def header_bytes(version: int = 3, tensors: int = 0, pairs: int = 0, rest: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, pairs) + rest


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a GGUF file"),
        (b"PK\x03\x04 a zip", "not a GGUF file"),
        (header_bytes(version=1), "GGUF version 1 is not known"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (header_bytes(pairs=2**60), "claims 1152921504606846976 metadata entries"),
        (header_bytes(pairs=1, rest=struct.pack("<Q", 2**63)), "truncated: the file ends inside its header"),
        (header_bytes(pairs=1, rest=struct.pack("<QcI", 1, b"k", 99)), "value type 99 is not known"),
        (header_bytes(pairs=1, rest=struct.pack("<QcIIQ", 1, b"k", 9, 10, 2**61)), "truncated"),
        (header_bytes(), "names no architecture"),
    ],
)
def test_foreign_files_are_named(tmp_path, data, words):
    path = tmp_path / "foreign.gguf"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=words):
        read_header(path)


def test_files_of_other_kinds_are_named(tmp_path):
    import numpy as np

    with pytest.raises(ModelError, match="a control vector, not a model"):
        read_header(write_vector(tmp_path / "vector.gguf", {1: np.ones(8)}))
    writer = GGUFWriter(tmp_path / "empty.gguf", "llama")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(ModelError, match="holds no weights"):
        read_header(tmp_path / "empty.gguf")
    with pytest.raises(ModelError, match=r"none\.gguf: cannot be read"):
        read_header(tmp_path / "none.gguf")
    with pytest.raises(ModelError, match="cannot be read"):
        read_header(tmp_path)
