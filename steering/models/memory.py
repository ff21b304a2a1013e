"""What a model takes in torch on a CPU; figures only, so that they can be told where torch is not loaded."""

from __future__ import annotations

CONVERSION_BYTES = 6
"""Of memory, for each parameter while a GGUF file is converted (630 million took 3.0 GiB)."""
LEARNING_BYTES = 1
"""Beside the weights, for each parameter: what the blocks computed for a batch, until the backward pass (630 million
parameters took 1.4 GiB in float32, half of that is in WORKING_BYTES)."""
WORKING_BYTES = 2**30
"""Of memory, for Python, torch and what is computed."""


def memory_in_torch(parameters: int, weight_bytes: int, *, convert: bool) -> int:
    """Bytes at the most of a rebuild whose weights take so many bytes each, its conversion included where it is due."""
    learning = weight_bytes + LEARNING_BYTES
    return parameters * (max(CONVERSION_BYTES, learning) if convert else learning) + WORKING_BYTES
