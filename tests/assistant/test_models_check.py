"""Files that are whole, split, cut, hostile or of other kinds: said in words before llama.cpp sees them."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest
from gguf import GGUFWriter
from hypothesis import given
from hypothesis import strategies as st

from assistant.app import Assistant
from assistant.errors import ModelError
from assistant.models.examine import examine_model
from assistant.models.fingerprint import fingerprint
from assistant.models.header import read_header
from assistant.models.local import OURS, resolve_model
from assistant.paths import resolve_paths
from assistant.trial import try_model
from steering.models.splits import first_part, is_first, model_size, part_names
from tests.gguf_copies import copy_fields
from tests.tiny_models import write_tiny_model

GIGABYTES_8 = 8 * 2**30


def split(source: Path, folder: Path, count: int = 3) -> list[Path]:
    """Cut a model into parts as llama-gguf-split does, by means of the gguf package."""
    from gguf import GGUFReader

    reader = GGUFReader(source)
    folder.mkdir(exist_ok=True)
    paths = [folder / name for name in part_names(f"big-00001-of-{count:05}.gguf")]
    size = -(-len(reader.tensors) // count)
    for number, path in enumerate(paths):
        writer = GGUFWriter(path, "llama")
        if number == 0:
            copy_fields(reader, writer)
        writer.add_uint16("split.no", number)
        writer.add_uint16("split.count", count)
        writer.add_int32("split.tensors.count", len(reader.tensors))
        for tensor in reader.tensors[number * size : (number + 1) * size]:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return paths


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture
def parted(tiny, tmp_path) -> list[Path]:
    return split(tiny, tmp_path / "parts")


def test_a_chat_model_passes(tiny):
    assert [(found.name, found.ok) for found in examine_model(tiny)] == [
        ("file", True),
        ("engine", True),
        ("chat", True),
    ]


def test_a_model_without_a_template_is_said_to_be_none_for_chatting(tmp_path):
    plain = write_tiny_model(tmp_path / "plain.gguf", chat_template=None)
    assert "no chat template" in examine_model(plain)[-1].detail
    assert [found.ok for found in examine_model(plain)] == [True, True, False]


@pytest.mark.parametrize(
    ("architecture", "words"),
    [("bert", "bert models write no replies"), ("madeup", "the architecture madeup is not known to this llama.cpp")],
)
def test_architectures_that_cannot_chat(tmp_path, architecture, words):
    writer = GGUFWriter(tmp_path / "other.gguf", architecture)
    writer.add_block_count(2)
    writer.add_embedding_length(8)
    import numpy as np

    writer.add_tensor("token_embd.weight", np.ones((4, 8), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = examine_model(tmp_path / "other.gguf")
    assert words in found[1].detail
    assert not found[1].ok


@given(at=st.integers(0, 400), data=st.binary(min_size=1, max_size=16))
def test_hostile_files_never_raise_anything_else(tiny, tmp_path_factory, at, data):
    path = tmp_path_factory.getbasetemp() / "hostile.gguf"
    content = bytearray(tiny.read_bytes())
    content[at : at + len(data)] = data
    path.write_bytes(content)
    found = examine_model(path)
    assert all(isinstance(finding.ok, bool) for finding in found)


def test_a_split_model_is_one_model(parted, tiny, tmp_path):
    first = parted[0]
    header = read_header(first)
    assert (header.name, header.blocks) == ("Tiny", 3)
    assert header.size == model_size(first) == sum(part.stat().st_size for part in parted)
    assert [first_part(part) for part in parted] == [first] * 3
    assert [is_first(part) for part in parted] == [True, False, False]
    assert resolve_model(str(parted[2]), resolve_paths(tmp_path)) == first
    moved = Path(shutil.copytree(first.parent, tmp_path / "elsewhere")) / first.name
    assert fingerprint(moved) == fingerprint(first)
    before = fingerprint(first)
    parted[2].write_bytes(parted[2].read_bytes()[:-1] + b"\x01")
    assert fingerprint(first) != before, "every part counts"


@pytest.fixture
def snapshot(parted, tmp_path) -> list[Path]:
    """The parts as huggingface_hub keeps them: links to files that are named by their contents."""
    folder = tmp_path / "snapshot"
    folder.mkdir()
    for number, part in enumerate(parted):
        (folder / part.name).symlink_to(part.rename(tmp_path / f"blob{number}"))
    return [folder / part.name for part in parted]


async def test_a_split_model_is_told_by_the_names_of_its_links(snapshot, tmp_path):
    home = tmp_path / "home"
    first = resolve_model(str(snapshot[1]), resolve_paths(home))
    assert first == snapshot[0]
    assistant = Assistant.open(home, str(first))
    try:
        added = assistant.models.add(snapshot[0])
        assistant.models.use(added.name)
        assert [model.source for model in assistant.models.list() if model.path.resolve() == first.resolve()] == [OURS]
        assert assistant.models.removal(added.name).in_use
        assert (await assistant.chat.start()).blocks == 3
    finally:
        await assistant.close()


def test_a_link_beside_no_other_parts_leads_to_them(parted, tmp_path):
    link = tmp_path / parted[0].name
    link.symlink_to(parted[0])
    assert resolve_model(str(link), resolve_paths(tmp_path)) == parted[0]


async def test_the_engine_loads_a_split_model(parted, tmp_path):
    loaded = await try_model(parted[0], resolve_paths(tmp_path))
    assert (loaded.blocks, loaded.steerable) == (3, True)


def test_parts_that_are_not_whole(parted, tiny):
    with pytest.raises(ModelError, match=r"only a part of a model; name the first one, big-00001"):
        read_header(parted[1])
    whole = parted[1].read_bytes()
    parted[1].write_bytes(whole[:-100])
    with pytest.raises(ModelError, match=r"big-00002-of-00003\.gguf: truncated: "):
        read_header(parted[0])
    parted[1].write_bytes(parted[2].read_bytes())
    with pytest.raises(ModelError, match="do not belong together"):
        read_header(parted[0])
    parted[1].unlink()
    with pytest.raises(ModelError, match="1 of its 3 parts missing, big-00002"):
        read_header(parted[0])
    renamed = parted[0].rename(parted[0].with_name("big.gguf"))
    with pytest.raises(ModelError, match="one of 3 parts of a model, but not named so"):
        read_header(renamed)


@pytest.mark.parametrize(
    "name", ["x-00000-of-00002.gguf", "x-00003-of-00002.gguf", "x-1-of-2.gguf", "x-00001-of-99999.gguf"]
)
def test_names_that_are_no_parts(name):
    assert part_names(name) == [name]


def test_eight_gigabytes_have_a_fingerprint_at_once_and_the_same_anywhere(tiny, tmp_path):
    marks = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        large = Path(shutil.copy(tiny, tmp_path / folder / "large.gguf"))
        with large.open("r+b") as file:
            file.truncate(GIGABYTES_8)
            file.seek(GIGABYTES_8 - 8)
            file.write(struct.pack("<Q", 7))
        marks.append(fingerprint(large))
    assert marks[0] == marks[1] != fingerprint(tiny)
