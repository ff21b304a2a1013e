"""The only room that touches llama_cpp: a model, a context with prefix reuse and a control vector, a sampler."""

from assistant.engine.llama.context import CHUNK_TOKENS, LlamaContext
from assistant.engine.llama.model import LlamaModel
from assistant.engine.llama.residuals import ResidualReader
from assistant.engine.llama.sampling import Sampler

__all__ = ["CHUNK_TOKENS", "LlamaContext", "LlamaModel", "ResidualReader", "Sampler"]
