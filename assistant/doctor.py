"""Checks a stranger can run: does everything that a chat and a rebuild need work on this machine?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from assistant.app import Assistant
from assistant.check import Check
from assistant.errors import AssistantError
from assistant.figures import count
from assistant.models.header import read_header
from assistant.profile.counted import counted
from assistant.profile.vectors import ImportedVector
from assistant.rebuild.check import check_parity
from assistant.records import Loaded
from assistant.visible import one_line

REBUILD_NEEDS = ("torch", "transformers", "safetensors", "gguf")
TICK_SECONDS = 1.0

OnWait = Callable[[float], None]
"""Told every second for how many seconds the slow check has been running."""


async def examine(home: Path | None, model: str | None, on_wait: OnWait) -> list[Check]:
    """All checks in order; one that fails does not stop the others that can still be made."""
    try:
        assistant = Assistant.open(home, model)
    except AssistantError as error:
        return [Check("home", False, str(error))]
    try:
        engine = await _engine(assistant)
        rebuild = _check("rebuild", _rebuild_needs)
        checks = [
            Check("home", True, str(assistant.paths.data)),
            _check("history", lambda: count(len(assistant.chat.conversations()), "conversation")),
            _check("items", lambda: _items(assistant)),
            _check("model", lambda: _model(assistant)),
            *engine,
            _check("profile", lambda: _steering(assistant)),
            _check("vectors", lambda: _vectors(assistant)),
            rebuild,
        ]
        # Without an engine that takes the model, or without torch, there is nothing to compare.
        return [*checks, await _parity(assistant, on_wait)] if engine[0].ok and rebuild.ok else checks
    finally:
        await assistant.close()


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except AssistantError as error:
        return Check(name, False, str(error))


async def _engine(assistant: Assistant) -> list[Check]:
    try:
        loaded = await assistant.chat.start()
    except AssistantError as error:
        return [Check("engine", False, str(error))]
    steers = "the logits move with a control vector" if loaded.steerable else "the architecture ignores control vectors"
    return [
        Check(
            "engine",
            True,
            f"{loaded.name}: {loaded.blocks} blocks of width {loaded.width}, loaded in {loaded.seconds:.1f} s",
        ),
        Check("speed", True, _speed(loaded)),
        Check("steering", loaded.steerable, steers),
    ]


def _speed(loaded: Loaded) -> str:
    tuning = loaded.tuning
    prompt = f", {tuning.prompt_threads} for prompts" if tuning.prompt_threads else ""
    attention = {None: "flash attention as llama.cpp sees fit", True: "flash attention", False: "no flash attention"}
    device = "GPU" if loaded.gpu else "no GPU in this build of llama.cpp"
    found = ", measured just now" if loaded.measured else ""
    return (
        f"{tuning.threads} threads{prompt}, {attention[tuning.flash_attention]}, batches of {tuning.batch_tokens}, "
        f"keys and values in {tuning.kv_type}, {device}{found}"
    )


def _items(assistant: Assistant) -> str:
    items = assistant.preferences.items()
    return counted(items)


def _model(assistant: Assistant) -> str:
    path = assistant.model.path()
    header = read_header(path)
    return f"{path.name}: {header.architecture}, {header.quantization}, fingerprint {assistant.model.fingerprint()}"


def _steering(assistant: Assistant) -> str:
    status = assistant.chat.steering()
    if not status.on:
        return f"replies are not steered: {status.note}"
    return f"steered {status.words}" + (f" ({status.note})" if status.note else "")


def _vectors(assistant: Assistant) -> str:
    return "; ".join(map(_vector, assistant.vectors.list())) or "none imported"


def _vector(vector: ImportedVector) -> str:
    # What its file says of itself may be in the reason.
    return f"{vector.name} {f'is off: {one_line(vector.why_off, 100)}' if vector.why_off else 'steers'}"


async def _parity(assistant: Assistant, on_wait: OnWait) -> Check:
    threads = assistant.settings.model.threads or None
    estimator = assistant.settings.preferences.estimator
    comparing = asyncio.create_task(check_parity(assistant.model, assistant.paths, threads, estimator))
    started = time.monotonic()
    try:
        while not (await asyncio.wait([comparing], timeout=TICK_SECONDS))[0]:
            on_wait(time.monotonic() - started)
        found = comparing.result()
    except AssistantError as error:
        return Check("parity", False, str(error))
    finally:
        comparing.cancel()
        await asyncio.wait([comparing])
    same = f"KL {found.kl:.4f} nats on plain text, {found.same_tokens:.0%} of the tokens cut alike"
    limitation = f"; it is {found.limitation}" if found.limitation else ""
    return Check("parity", True, f"what learns is what chats: {same}{limitation}")


def _rebuild_needs() -> str:
    try:
        return ", ".join(f"{name} {version(name)}" for name in REBUILD_NEEDS)
    except PackageNotFoundError as error:
        raise AssistantError(f"{error.name} is not installed; run `make run` again") from error
