"""Is a model file whole, and can it chat here? Read from its header, before llama.cpp sees it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assistant.errors import ModelError
from assistant.models.header import ModelHeader, read_header

NO_TEMPLATE = "chat"
"""The one finding that is no hindrance: the engine then uses a plain template."""
_NO_CHAT = ("bert", "t5encoder", "gemma-embedding", "wavtokenizer")
"""Parts of the names of architectures that llama.cpp knows and that write no replies."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str


def examine_model(path: Path) -> list[Finding]:
    """All findings; a file that is broken has one."""
    try:
        header = read_header(path)
    except ModelError as error:
        return [Finding("file", False, str(error))]
    size = f"{header.size / 1e9:.2f} GB, {header.quantization or 'quantization not told'}"
    return [
        Finding("file", True, f"whole: {header.name or path.name}, {size}, {header.blocks} blocks"),
        _architecture(header),
        _template(header),
    ]


def _architecture(header: ModelHeader) -> Finding:
    from gguf.constants import MODEL_ARCH_NAMES  # slow to import; it is llama.cpp's own list

    name = header.architecture
    if any(part in name for part in _NO_CHAT):
        return Finding("engine", False, f"{name} models write no replies; choose a chat model")
    if name not in MODEL_ARCH_NAMES.values():
        return Finding("engine", False, f"the architecture {name} is not known to this llama.cpp; choose another model")
    return Finding("engine", True, f"the architecture {name} is known")


def _template(header: ModelHeader) -> Finding:
    if header.has_chat_template:
        return Finding(NO_TEMPLATE, True, "it has a chat template")
    return Finding(
        NO_TEMPLATE, False, "it has no chat template: not made for chatting; look for an -Instruct or -it model"
    )
