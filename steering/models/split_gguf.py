"""Models that come as several GGUF files, joined into one: transformers reads one file only, and says nothing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from gguf import GGUFReader, GGUFWriter, Keys
from gguf.scripts.gguf_new_metadata import copy_with_new_metadata

from steering.models.splits import parts

_OF_PARTS = (Keys.Split.LLM_KV_SPLIT_NO, Keys.Split.LLM_KV_SPLIT_COUNT, Keys.Split.LLM_KV_SPLIT_TENSORS_COUNT)


def joined(source: Path, target: Path) -> Path:
    """One file with all tensors, written to `target`; `source` itself where it is whole.

    Raises: OSError: a part is missing, or there is no room. ValueError: a part is no GGUF file.
    """
    files = parts(source)
    if len(files) == 1:
        return source
    readers = [GGUFReader(file) for file in files]
    first = readers[0]
    whole = SimpleNamespace(
        fields=first.fields, tensors=[one for reader in readers for one in reader.tensors], endianess=first.endianess
    )
    writer = GGUFWriter(target, first.fields[Keys.General.ARCHITECTURE].contents(), endianess=first.endianess)
    copy_with_new_metadata(whole, writer, {}, _OF_PARTS)
    return target
