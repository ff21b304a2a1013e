"""The rebuild process: one request on stdin, progress and the outcome on stdout, one JSON object a line.

It holds torch and transformers and ends with the rebuild. It ends at once when stdin closes: that is cancel, and also
what happens when the app is gone. Its stderr is a log; no text of the history is ever written there.
"""

from __future__ import annotations

import base64
import gc
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.engine.protocol import Sampling
from assistant.errors import RebuildError
from assistant.one_task import learn
from assistant.rebuild.protocol import (
    Built,
    CheckParity,
    ParityFound,
    ParityMessage,
    RebuildFailed,
    RebuildMessage,
    RebuildRequest,
    Scored,
    StageProgress,
    Start,
)

if TYPE_CHECKING:
    from assistant.rebuild.llama_chat import LlamaChat
    from steering.control_vector import ControlVector
    from steering.effects.history import EffectKey
    from steering.effects.token_effects import TokenEffects
    from steering.models.estimator import Estimator

Emit = Callable[[RebuildMessage | ParityMessage], None]


def main() -> None:
    """Carry out the one request."""
    kinds: tuple[type[RebuildRequest], ...] = (Start, CheckParity)
    learn(kinds, _answer, RebuildFailed)


def _answer(request: RebuildRequest, emit: Emit) -> Built | ParityFound:
    return _rebuild(request, emit) if isinstance(request, Start) else _parity(request)


def _rebuild(request: Start, emit: Emit) -> Built:
    from assistant.rebuild.llama_chat import LlamaChat
    from assistant.rebuild.wire import as_effect, as_token_effects
    from steering.effects.history import EffectKey
    from steering.pipeline import Request, build_profile

    emit(StageProgress("model", 0, 1))
    chat = LlamaChat(Path(request.model_path), request.sampling, request.threads)
    if not chat.steerable:
        raise RebuildError(f"{chat.architecture} models ignore control vectors; choose a model of another architecture")

    def load() -> Estimator:
        loaded = _estimator(request, chat)
        gc.enable()
        return loaded

    def on_effects(scored: dict[EffectKey, tuple[str, TokenEffects]]) -> None:
        emit(Scored(tuple(as_effect(key, item_id, found) for key, (item_id, found) in scored.items())))

    built = build_profile(
        Request(
            items=request.items,
            cached={
                EffectKey(e.item_hash, e.context_hash, e.estimator, e.method): as_token_effects(e)
                for e in request.cached
            },
            vetoed_phrases=request.vetoed_phrases,
            description=request.description,
            neutral_replies=request.neutral_replies,
            another_author=request.another_author,
        ),
        load=load,
        chat=chat,
        on_progress=lambda stage, done, total: emit(StageProgress(stage, done, total)),
        on_effects=on_effects,
    )
    vector = b""
    if built.vector is not None:
        notes = {"method": built.outcome.method, "dose": f"{built.outcome.dose:.6f}"}
        created = datetime.now(UTC).isoformat(timespec="seconds")
        stamped = built.vector.with_metadata(**notes, model_fingerprint=request.fingerprint, created=created)
        vector = _gguf_bytes(stamped)
    return Built(built.outcome, base64.b64encode(vector).decode(), built.neutral_replies, built.another_author)


def _parity(request: CheckParity) -> ParityFound:
    from assistant.rebuild.llama_chat import LlamaChat
    from steering.parity import check_parity

    chat = LlamaChat(Path(request.model_path), Sampling(), request.threads)
    estimator = _estimator(request, chat)
    found = check_parity(estimator, chat)
    return ParityFound(found.kl, found.same_tokens, estimator.limitation)


def _estimator(request: RebuildRequest, chat: LlamaChat) -> Estimator:
    """As the settings have it."""
    import psutil

    from steering.models.estimator import chosen_estimator

    source, cache = Path(request.model_path), Path(request.estimator_cache)
    free = psutil.virtual_memory().available
    return chosen_estimator(request.estimator, source, cache, request.fingerprint, chat, free)


def _gguf_bytes(vector: ControlVector) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vector.gguf"
        vector.write_gguf(path)
        return path.read_bytes()


if __name__ == "__main__":
    main()
