"""The models of a process that evaluates: as they chat and as they learn."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import AssistantError
from assistant.evaluation.protocol import Begun, Neutral, Setup

if TYPE_CHECKING:
    from assistant.rebuild.llama_chat import LlamaChat
    from steering.calibration.tuning import NeutralReplies
    from steering.models.estimator import Estimator

Emit = Callable[[Any], None]


def open_models(setup: Setup, emit: Emit) -> tuple[LlamaChat, Estimator]:
    """Load the model as it chats and as it learns.

    Raises: AssistantError: it ignores control vectors, or cannot be loaded.
    """
    import psutil

    from assistant.rebuild.llama_chat import LlamaChat
    from steering.models.estimator import fitting_estimator

    emit(Begun("", "model"))
    source, cache = Path(setup.model_path), Path(setup.estimator_cache)
    chat = LlamaChat(source, setup.sampling, setup.threads)
    if not chat.steerable:
        raise AssistantError(f"{chat.architecture} models ignore control vectors; choose a model of another one")
    estimator = fitting_estimator(source, cache, setup.fingerprint, chat, psutil.virtual_memory().available)
    gc.enable()
    return chat, estimator


def neutral_replies_of(setup: Setup, chat: LlamaChat, emit: Emit, *, few: bool = False) -> NeutralReplies:
    """The model's neutral replies; what was still to be written is handed over for the next run."""
    from steering.learning import neutral_replies

    emit(Begun("", "neutral replies"))
    neutral = neutral_replies(chat, setup.neutral_replies, lambda _: None, few=few)
    if len(neutral.replies) > len(setup.neutral_replies):
        emit(Neutral(neutral.replies))
    return neutral
