"""The engine process as the app uses it: replies, steering, stopping, and dying in every way."""

from __future__ import annotations

import asyncio
import os
import select
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from assistant.engine.llama import LlamaContext, LlamaModel
from assistant.engine.process import Engine
from assistant.engine.protocol import Finished, Generate, Load, Piece, Prefill, Sampling, Steer, Tuning, Turn
from assistant.errors import EngineError
from assistant.models.bundled import bundled_model
from tests.tiny_models import write_tiny_model, write_vector

GREEDY = Sampling(temperature=0, max_tokens=12)
ENDLESS = Sampling(temperature=0, max_tokens=100_000)
QUESTION = Generate((Turn("user", "hello you and the user"),), GREEDY)


@pytest.fixture
async def engine(tmp_path) -> AsyncIterator[Engine]:
    made = Engine(tmp_path / "cache" / "engine.log")
    yield made
    await made.close()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture(scope="module")
def vector(tmp_path_factory) -> Path:
    direction = np.random.default_rng(5).standard_normal(64) * 3
    return write_vector(tmp_path_factory.mktemp("vectors") / "vector.gguf", {1: direction})


async def reply(engine: Engine, request: Generate) -> tuple[str, Finished]:
    text, last = "", None
    async for last in engine.generate(request):
        if isinstance(last, Piece):
            text += last.text
    assert isinstance(last, Finished)
    return text, last


def tiny_load(path: Path, context_tokens: int = 2048) -> Load:
    return Load(str(path), context_tokens=context_tokens, threads=1)


def greedy_oracle(path: Path, prompt: str, count: int) -> str:
    with LlamaModel(path) as model:
        context = LlamaContext(model, 512, Tuning(1))
        context.evaluate(model.tokenize(prompt, parse_special=True))
        data = b""
        for _ in range(count):
            token = int(context.logits().argmax())
            data += model.piece(token)
            context.append(token)
        context.close()
    return data.decode("utf-8", "replace")


async def gone(pid: int) -> None:
    """Wait for the end of a process that need not be our child."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    assert await asyncio.to_thread(poll.poll, 20_000), f"process {pid} lives on"
    os.close(descriptor)


async def test_reply_is_the_argmax_of_the_logits(engine, tiny):
    loaded = await engine.load(tiny_load(tiny))
    assert (loaded.name, loaded.architecture, loaded.blocks, loaded.width) == ("Tiny", "llama", 3, 64)
    assert (loaded.steerable, loaded.context_tokens) == (True, 2048)
    text, finished = await reply(engine, QUESTION)
    prompt = "<|im_start|>user\nhello you and the user<|im_end|>\n<|im_start|>assistant\n"
    assert text.rstrip("\ufffd") == greedy_oracle(tiny, prompt, 12).rstrip("\ufffd")
    assert (finished.reason, finished.reply_tokens) == ("length", 12)


async def test_reply_ends_where_the_window_ends(engine, tiny):
    await engine.load(tiny_load(tiny, context_tokens=256))
    _, finished = await reply(engine, replace(QUESTION, sampling=ENDLESS))
    assert (finished.reason, finished.context_used, finished.context_tokens) == ("context", 256, 256)


async def test_oldest_turns_leave_and_a_long_message_is_refused(engine, tiny):
    await engine.load(tiny_load(tiny, context_tokens=256))
    turns = [Turn(role, "hello you " * 4) for _ in range(12) for role in ("user", "assistant")]
    _, finished = await reply(engine, Generate((*turns, Turn("user", "the end")), GREEDY))
    assert finished.dropped_turns > 0
    assert finished.dropped_turns % 2 == 0
    with pytest.raises(EngineError, match=r"needs \d+ tokens and the window has 256; shorten it"):
        await reply(engine, Generate((Turn("user", "é" * 400),), GREEDY))
    await reply(engine, QUESTION)


async def test_a_crash_leaves_no_copy_of_the_memory(engine, tiny):
    await engine.load(tiny_load(tiny))
    assert psutil.Process(engine.pid).rlimit(psutil.RLIMIT_CORE) == (0, 0)


@pytest.mark.parametrize("words", ["tekken", "deepseek-v3"])
async def test_a_long_row_of_letters_is_read_or_refused_whatever_the_tokenizer(engine, tmp_path, words):
    await engine.load(tiny_load(write_tiny_model(tmp_path / "words.gguf", words=words, context=2**14), 2**14))
    pid = engine.pid
    _, finished = await reply(engine, Generate((Turn("user", "hello" * 10_000),), GREEDY))
    assert finished.prompt_tokens > 10_000
    with pytest.raises(EngineError, match=r"needs at least \d+ tokens and the window has 16384; shorten it"):
        await reply(engine, Generate((Turn("user", "hello" * 400_000),), GREEDY))
    assert engine.pid == pid


async def test_continuing_goes_on_exactly(engine, tiny):
    await engine.load(tiny_load(tiny))
    whole, _ = await reply(engine, replace(QUESTION, sampling=replace(GREEDY, max_tokens=24)))
    for count in range(6, 14):
        text, first = await reply(engine, replace(QUESTION, sampling=replace(GREEDY, max_tokens=count)))
        if whole.startswith(text) and "\ufffd" not in text and len(text) > 3:
            break
    turns = (*QUESTION.turns, Turn("assistant", text))
    rest, second = await reply(engine, Generate(turns, replace(GREEDY, max_tokens=24 - count), continue_last=True))
    assert text + rest == whole
    assert second.prompt_tokens == first.context_used
    assert second.prefilled_tokens <= 2


async def test_stop_keeps_what_came_and_the_next_reply_is_whole(engine, tiny):
    await engine.load(tiny_load(tiny))
    whole, _ = await reply(engine, QUESTION)
    await engine.stop()
    pieces = []
    async for event in engine.generate(replace(QUESTION, sampling=ENDLESS)):
        if isinstance(event, Piece):
            pieces.append(event.text)
            await engine.stop()
    assert isinstance(event, Finished)
    assert event.reason == "stopped"
    assert 0 < event.reply_tokens < 1900
    assert (await reply(engine, QUESTION))[0] == whole


async def test_leaving_the_iterator_stops_the_reply(engine, tiny):
    await engine.load(tiny_load(tiny))
    whole, _ = await reply(engine, QUESTION)
    pid = engine.pid
    async with aclosing(engine.generate(replace(QUESTION, sampling=ENDLESS))) as events:
        async for _ in events:
            break
    assert (await reply(engine, QUESTION))[0] == whole
    async for _ in engine.generate(replace(QUESTION, sampling=ENDLESS)):
        break
    assert (await reply(engine, QUESTION))[0] == whole
    begun = asyncio.Event()

    async def read() -> None:
        async for _ in engine.generate(replace(QUESTION, sampling=ENDLESS)):
            begun.set()

    task = asyncio.create_task(read())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await reply(engine, QUESTION))[0] == whole
    assert engine.pid == pid


async def test_two_replies_wait_for_each_other(engine, tiny):
    await engine.load(tiny_load(tiny))
    other = Generate((Turn("user", "and the other"),), GREEDY)
    apart = [await reply(engine, QUESTION), await reply(engine, other)]
    together = await asyncio.gather(reply(engine, QUESTION), reply(engine, other))
    assert [text for text, _ in together] == [text for text, _ in apart]


async def test_steering_obeys_at_once_and_strength_zero_is_none(engine, tiny, vector):
    await engine.load(tiny_load(tiny))
    plain, _ = await reply(engine, QUESTION)
    await engine.steer(Steer(str(vector), 1.0))
    steered, finished = await reply(engine, QUESTION)
    assert steered != plain
    assert finished.prefilled_tokens == finished.prompt_tokens
    for off in (Steer(str(vector), 0.0), Steer(None)):
        assert (await engine.steer(off)).strength == 0
        assert (await reply(engine, QUESTION))[0] == plain
        await engine.steer(Steer(str(vector), 1.0))
        assert (await reply(engine, QUESTION))[0] == steered


async def test_vector_that_does_not_fit_is_refused_and_the_one_before_stays(engine, tiny, vector, tmp_path):
    await engine.load(tiny_load(tiny))
    await engine.steer(Steer(str(vector)))
    steered, _ = await reply(engine, QUESTION)
    (tmp_path / "broken.gguf").write_bytes(vector.read_bytes()[:90])
    write_vector(tmp_path / "wide.gguf", {1: np.ones(65)})
    write_vector(tmp_path / "deep.gguf", {3: np.ones(64)})
    for name, words in (
        ("broken", "cannot be read as a GGUF control vector"),
        ("missing", "cannot be read as a GGUF control vector"),
        ("wide", "made for another model"),
        ("deep", "made for another model"),
    ):
        with pytest.raises(EngineError, match=rf"{name}\.gguf: .*{words}"):
            await engine.steer(Steer(str(tmp_path / f"{name}.gguf")))
    assert (await reply(engine, QUESTION))[0] == steered


async def test_files_that_are_no_models_are_refused_in_words(engine, tiny, vector, tmp_path):
    data = tiny.read_bytes()
    (tmp_path / "cut.gguf").write_bytes(data[:-1000])
    (tmp_path / "text.gguf").write_text("no model at all", encoding="utf-8")
    for path, words in (
        (tmp_path / "cut.gguf", r"truncated: 1,000 bytes missing"),
        (tmp_path / "text.gguf", "not a GGUF file"),
        (tmp_path / "none.gguf", "cannot be read"),
        (tmp_path, "cannot be read"),
        (vector, "a control vector, not a model"),
    ):
        with pytest.raises(EngineError, match=words):
            await engine.load(tiny_load(path))
        with pytest.raises(EngineError, match="no model is loaded"):
            await reply(engine, QUESTION)
    await engine.load(tiny_load(tiny))
    await reply(engine, QUESTION)


async def test_killed_while_it_replies(engine, tiny, vector):
    await engine.load(tiny_load(tiny))
    await engine.steer(Steer(str(vector)))
    steered, _ = await reply(engine, QUESTION)
    pid = engine.pid
    with pytest.raises(EngineError, match=r"killed by signal 9 \(out of memory\?.*restarts by itself"):
        async for event in engine.generate(replace(QUESTION, sampling=ENDLESS)):
            if isinstance(event, Piece) and engine.pid:
                os.kill(pid, signal.SIGKILL)
    assert (await reply(engine, QUESTION))[0] == steered
    assert engine.pid != pid


async def test_vector_that_is_gone_when_the_engine_restarts_is_in_nobodys_way(engine, tiny, vector, tmp_path):
    gone = Path(shutil.copy(vector, tmp_path / "gone.gguf"))
    await engine.load(tiny_load(tiny))
    plain, _ = await reply(engine, QUESTION)
    await engine.steer(Steer(str(gone)))
    gone.unlink()
    os.kill(engine.pid, signal.SIGKILL)
    while engine.pid is not None:
        await asyncio.sleep(0)
    await engine.steer(Steer(None, 0.0))
    assert (await reply(engine, QUESTION))[0] == plain


async def test_vector_that_is_refused_after_a_crash_leaves_the_one_before(engine, tiny, vector, tmp_path):
    await engine.load(tiny_load(tiny))
    await engine.steer(Steer(str(vector)))
    steered, _ = await reply(engine, QUESTION)
    os.kill(engine.pid, signal.SIGKILL)
    while engine.pid is not None:
        await asyncio.sleep(0)
    with pytest.raises(EngineError, match="cannot be read"):
        await engine.steer(Steer(str(tmp_path / "none.gguf")))
    assert (await reply(engine, QUESTION))[0] == steered


async def test_crash_names_the_signal_and_death_while_idle_goes_unnoticed(engine, tiny):
    await engine.load(tiny_load(tiny))
    whole, _ = await reply(engine, QUESTION)
    with pytest.raises(EngineError, match="crashed \\(signal 6, Aborted\\)"):
        async for event in engine.generate(replace(QUESTION, sampling=ENDLESS)):
            if isinstance(event, Piece) and engine.pid:
                os.kill(engine.pid, signal.SIGABRT)
    assert (await reply(engine, QUESTION))[0] == whole
    pid = engine.pid
    os.kill(pid, signal.SIGKILL)
    while engine.pid is not None:
        await asyncio.sleep(0)
    assert (await reply(engine, QUESTION))[0] == whole


async def test_close_ends_the_process_in_the_middle_of_a_reply(engine, tiny):
    await engine.load(tiny_load(tiny))
    pid = engine.pid
    with pytest.raises(EngineError, match="was closed"):
        async for _ in engine.generate(replace(QUESTION, sampling=ENDLESS)):
            await engine.close()
    await gone(pid)
    with pytest.raises(EngineError, match="was closed"):
        await engine.start()


async def test_log_is_private_and_holds_no_conversation(engine, tiny, tmp_path):
    await engine.load(tiny_load(tiny, context_tokens=256))
    with pytest.raises(EngineError):
        await reply(engine, Generate((Turn("user", "secretword " * 200),), GREEDY))
    await reply(engine, Generate((Turn("user", "secretword"),), GREEDY))
    log = tmp_path / "cache" / "engine.log"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700
    assert "secretword" not in log.read_text(encoding="utf-8")


def test_app_side_of_the_engine_loads_nothing_heavy():
    heavy = "{'numpy', 'torch', 'transformers', 'llama_cpp', 'gguf', 'jinja2'}"
    code = f"import sys, assistant.engine.process; print(sorted(set(sys.modules) & {heavy}))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


APP = """
import asyncio, sys
from pathlib import Path
from assistant.engine.process import Engine
from assistant.engine.protocol import Generate, Load, Sampling, Turn

async def main():
    engine = Engine(Path(sys.argv[2]))
    await engine.load(Load(sys.argv[1], threads=1))
    while True:
        async for event in engine.generate(Generate((Turn("user", "hello"),), Sampling(temperature=0))):
            print(engine.pid, flush=True)

asyncio.run(main())
"""


async def test_no_orphan_when_the_app_is_killed(tiny, tmp_path):
    app = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", APP, str(tiny), str(tmp_path / "engine.log")), stdout=asyncio.subprocess.PIPE
    )
    pid = int(await app.stdout.readline())
    app.kill()
    await app.wait()
    await gone(pid)


@pytest.mark.bundled
async def test_real_model_reads_only_what_is_new(engine):
    loaded = await engine.load(Load(str(bundled_model()), context_tokens=2048, threads=1))
    assert loaded.steerable
    turns = (Turn("system", "You are brief."), Turn("user", "Name a colour. 🌈"))
    text, first = await reply(engine, Generate(turns, GREEDY))
    assert first.prefilled_tokens == first.prompt_tokens
    more = (*turns, Turn("assistant", text), Turn("user", "And another one?"))
    _, second = await reply(engine, Generate(more, GREEDY))
    assert second.prefilled_tokens <= second.prompt_tokens - first.context_used + 2
    again, third = await reply(engine, Generate(turns, GREEDY))
    assert (again, third.prefilled_tokens) == (text, 0)


@pytest.mark.bundled
async def test_real_model_stops_while_it_reads_a_long_prompt(engine):
    await engine.load(Load(str(bundled_model()), context_tokens=4096, threads=1))
    long = Generate((Turn("user", "many different words " * 1000),), GREEDY)
    async for event in engine.generate(long):
        if isinstance(event, Prefill):
            await engine.stop()
    assert isinstance(event, Finished)
    assert (event.reason, event.reply_tokens) == ("stopped", 0)
    assert event.prefilled_tokens < event.prompt_tokens
    _, finished = await reply(engine, Generate((Turn("user", "Hi"),), GREEDY))
    assert finished.reply_tokens > 0
