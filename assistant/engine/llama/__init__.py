"""The only room that touches llama_cpp: a model, a context with prefix reuse and a control vector, a sampler."""

from assistant.engine.llama.context import LlamaContext, OnChunk
from assistant.engine.llama.grammar import gbnf_of_schema
from assistant.engine.llama.held import Held, Saved
from assistant.engine.llama.model import LlamaModel, supports_gpu
from assistant.engine.llama.parallel import ParallelContext
from assistant.engine.llama.residuals import ResidualReader
from assistant.engine.llama.sampling import Sampler

__all__ = [
    "Held",
    "LlamaContext",
    "LlamaModel",
    "OnChunk",
    "ParallelContext",
    "ResidualReader",
    "Sampler",
    "Saved",
    "gbnf_of_schema",
    "supports_gpu",
]
