"""GGUF files made from one that is there: its fields copied, and the bundled model with fewer blocks."""

from __future__ import annotations

from pathlib import Path

from gguf import GGUFReader, GGUFWriter

ARCHITECTURE = "general.architecture"


def copy_fields(reader: GGUFReader, writer: GGUFWriter, **changed: object) -> None:
    """All fields but the architecture, which the writer has; `changed` ones by the end of their names."""
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == ARCHITECTURE:
            continue
        kind, *inner = field.types
        value = changed.get(name.rpartition(".")[2], field.contents())
        writer.add_key_value(name, value, kind, sub_type=inner[-1] if inner else None)


def write_pruned_model(source: Path, target: Path, blocks: int) -> Path:
    """A model up to so many blocks: its tokenizer and its sizes, at a multiple of its speed. Its text is babble."""
    reader = GGUFReader(source)
    writer = GGUFWriter(target, reader.fields[ARCHITECTURE].contents())
    copy_fields(reader, writer, block_count=blocks)
    for tensor in reader.tensors:
        kind, _, rest = tensor.name.partition(".")
        if kind != "blk" or int(rest.partition(".")[0]) < blocks:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target
