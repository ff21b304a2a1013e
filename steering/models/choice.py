"""What a person can choose to learn with."""

from __future__ import annotations

from enum import StrEnum


class Choice(StrEnum):
    """What learns; any other text is a folder that holds the chat model as safetensors."""

    AUTOMATIC = "automatic"
    """The chat model in torch where that fits into the free memory, else in llama.cpp."""
    TORCH = "torch"
    CHAT_MODEL = "llama.cpp"
