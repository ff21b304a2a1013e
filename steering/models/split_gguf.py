"""Models that come as several GGUF files, joined into one: transformers reads one file only, and says nothing."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

from gguf import GGUFReader, GGUFWriter, Keys
from gguf.scripts.gguf_new_metadata import copy_with_new_metadata

_FIRST = re.compile(r"(?P<stem>.+)-00001-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)
_OF_PARTS = (Keys.Split.LLM_KV_SPLIT_NO, Keys.Split.LLM_KV_SPLIT_COUNT, Keys.Split.LLM_KV_SPLIT_TENSORS_COUNT)


def parts_of(source: Path) -> list[Path]:
    """All files of the model whose first one is `source`; itself alone where it is whole."""
    found = _FIRST.fullmatch(source.name)
    count = int(found["count"]) if found else 1
    if found is None or count < 2:
        return [source]
    return [source.with_name(f"{found['stem']}-{n:05}-of-{count:05}{source.name[-5:]}") for n in range(1, count + 1)]


def joined(source: Path, target: Path) -> Path:
    """One file with all tensors, written to `target`; `source` itself where it is whole.

    Raises: OSError: a part is missing, or there is no room. ValueError: a part is no GGUF file.
    """
    parts = parts_of(source)
    if len(parts) == 1:
        return source
    readers = [GGUFReader(part) for part in parts]
    first = readers[0]
    whole = SimpleNamespace(
        fields=first.fields, tensors=[one for reader in readers for one in reader.tensors], endianess=first.endianess
    )
    writer = GGUFWriter(target, first.fields[Keys.General.ARCHITECTURE].contents(), endianess=first.endianess)
    copy_with_new_metadata(whole, writer, {}, _OF_PARTS)
    return target
