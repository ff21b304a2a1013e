"""What a model takes in torch on a CPU; figures only, so that they can be told where torch is not loaded."""

from __future__ import annotations

CONVERSION_BYTES = 7
"""Of memory, for each parameter while a GGUF file is converted (494 million parameters took 3.5 GiB)."""
WORKING_BYTES = 2**30
"""Of memory, for Python, torch and what is computed."""
