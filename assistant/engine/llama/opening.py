"""A window of llama.cpp's, made as a `Tuning` says."""

from __future__ import annotations

from typing import Any

import llama_cpp

from assistant.engine.llama.model import LlamaModel, last_error
from assistant.engine.protocol import Tuning
from assistant.errors import EngineError

KV_TYPES = {"f16": llama_cpp.GGML_TYPE_F16, "q8_0": llama_cpp.GGML_TYPE_Q8_0}
FLASH_ATTENTION = {
    None: llama_cpp.LLAMA_FLASH_ATTN_TYPE_AUTO,
    False: llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED,
    True: llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED,
}


def context_params(window: int, tuning: Tuning) -> Any:
    """What a window of so many tokens is made with."""
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = window
    params.n_batch = params.n_ubatch = min(tuning.batch_tokens, window)
    params.n_threads, params.n_threads_batch = tuning.threads, tuning.prompt_threads or tuning.threads
    params.flash_attn_type = FLASH_ATTENTION[tuning.flash_attention]
    params.type_k = params.type_v = KV_TYPES[tuning.kv_type]
    params.no_perf = True
    return params


def opened(model: LlamaModel, params: Any) -> Any:
    """llama.cpp's context.

    Raises: EngineError: no memory for the window.
    """
    context = llama_cpp.llama_init_from_model(model._model, params)
    if not context:
        raise EngineError(
            f"no memory for a window of {params.n_ctx} tokens ({last_error() or 'llama.cpp gives no reason'}); "
            "set a smaller context or choose a smaller model"
        )
    return context
