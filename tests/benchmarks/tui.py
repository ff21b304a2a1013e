"""`python -m tests.benchmarks.tui`: how soon the screens are there, how soon a key shows, what a token costs to draw.

`floor_ms` is `python -c "import textual"`, run in turns with the others: `first_paint_ms` is from the start of the
program, on a terminal of its own, to a prompt on the screen that takes text, `chat_ms` to the chat with its history
(what was typed before is in it); `help_ms` is `assistant --help`. `echo_ms` is from a key
to its letter on the screen while the bundled model replies (`reply_tokens_per_s`) and a rebuild with it runs;
`fast_echo_ms` the same beside a faster reply (`fast_reply_tokens_per_s`), of the bundled model's first blocks.
`token_cost_ratio` is the processor time that the screens take for a token at the end of a long reply, over that near
its start; the reply comes as the engine sends it, 40 times a second at 100 tokens a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

import textual

from assistant.conversation.chat import ChatEvent
from assistant.records import Piece
from tests.assistant.conftest import COMMAND, command_environment, prepare_home, query
from tests.benchmarks.model import the_bundled_model
from tests.gguf_copies import write_pruned_model
from tests.trust.terminal import PLACEHOLDER, Terminal
from tests.tui.chat_doubles import ScriptedChat, ScriptedHistory
from tests.tui.doubles import ScriptedAssistant
from tests.tui.reading import complete, write
from tests.tui.samples import app_of

KEYS = "àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþ"
"""Letters that an English reply has none of."""
FOOTER = b"Settings"
KEY_PAUSE_SECONDS = 0.3
TOKENS_PER_SECOND, WAKES_PER_SECOND = 100, 40
PARTS = 10
FAST_BLOCKS = 8
"""Of 30: well over 100 tokens/s on two cores, beside a rebuild."""
STORY = "the keeper of the lighthouse wrote a letter while the storm went on, and nobody came to read it."
WORDS = tuple(STORY.split())
STREAMING = "SELECT length(text) FROM messages WHERE role = 'assistant' AND state = 'streaming'"
FIGURES = "SELECT stats FROM messages WHERE role = 'assistant' AND stats IS NOT NULL ORDER BY id DESC"


def run_seconds(command: Sequence[str]) -> float:
    """Of a whole process."""
    started = time.perf_counter()
    subprocess.run(command, env=command_environment(), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def paint_seconds(home: Path) -> tuple[float, float]:
    """From the start to a prompt that takes text, and to the chat."""
    started = time.perf_counter()
    with Terminal([*COMMAND, "--home", str(home)], command_environment()) as terminal:
        terminal.wait(lambda: PLACEHOLDER in terminal.written)
        first = time.perf_counter() - started
        terminal.wait(lambda: FOOTER in terminal.written)
        chat = time.perf_counter() - started
        terminal.quit()
    return first, chat


def starts(rounds: int) -> dict[str, float]:
    """Medians of what takes turns, in ms."""
    found: dict[str, list[float]] = {"floor_ms": [], "first_paint_ms": [], "chat_ms": [], "help_ms": []}
    with tempfile.TemporaryDirectory() as folder:
        home = prepare_home(Path(folder) / "home", the_bundled_model())
        paint_seconds(home)  # the first start also makes the history
        for _ in range(rounds):
            found["floor_ms"].append(run_seconds([sys.executable, "-c", "import textual"]))
            first, chat = paint_seconds(home)
            found["first_paint_ms"].append(first)
            found["chat_ms"].append(chat)
            found["help_ms"].append(run_seconds([*COMMAND, "--help"]))
    return {name: round(1000 * statistics.median(seconds), 1) for name, seconds in found.items()}


def echoes() -> dict[str, float]:
    """Beside a reply of the bundled model, and beside a faster one."""
    echo_ms, rate = echo(the_bundled_model())
    with tempfile.TemporaryDirectory() as folder:
        fast = write_pruned_model(the_bundled_model(), Path(folder) / "fast.gguf", FAST_BLOCKS)
        fast_ms, fast_rate = echo(fast)
    return {
        "echo_ms": echo_ms,
        "reply_tokens_per_s": rate,
        "fast_echo_ms": fast_ms,
        "fast_reply_tokens_per_s": fast_rate,
    }


def echo(model: Path) -> tuple[float, float]:
    """The median from a key to its letter, in ms, and how many tokens of a reply by `model` came a second meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        home = prepare_home(Path(folder) / "home", the_bundled_model(), length=6000, context=8192)
        texts = Path(folder) / "texts.jsonl"
        texts.write_text("".join(_line(index) for index in range(40)), encoding="utf-8")
        subprocess.run(
            [*COMMAND, "--home", str(home), "import", str(texts)],
            env=command_environment(),
            check=True,
            stdout=subprocess.DEVNULL,
        )
        rebuild = subprocess.Popen(
            [*COMMAND, "--home", str(home), "rebuild"],
            env=command_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return _echo(home, model, rebuild)
        finally:
            rebuild.terminate()
            rebuild.wait()


def _echo(home: Path, model: Path, rebuild: subprocess.Popen[bytes]) -> tuple[float, float]:
    seconds = []
    with Terminal([*COMMAND, "--home", str(home), "--model", str(model)], command_environment()) as terminal:
        terminal.wait(lambda: PLACEHOLDER in terminal.written)
        terminal.keys("Tell me a very long story about a lighthouse keeper, a storm and a letter.\r")
        terminal.wait(lambda: any(length for (length,) in query(home, STREAMING)))
        for letter in KEYS:
            terminal.wait(partial(_is_past, time.perf_counter() + KEY_PAUSE_SECONDS))
            pressed = time.perf_counter()
            terminal.keys(letter)
            terminal.wait(partial(_is_shown, terminal, letter.encode()))
            seconds.append(time.perf_counter() - pressed)
        if not query(home, STREAMING) or rebuild.poll() is not None:
            raise RuntimeError("the reply or the rebuild ended too soon to measure beside it")
        terminal.keys("\x1b")
        terminal.wait(lambda: not query(home, STREAMING) and bool(query(home, FIGURES)))
        stats = json.loads(query(home, FIGURES)[0][0])
    rate = stats["reply_tokens"] / (stats["seconds"] - stats["first_token_seconds"])
    return round(1000 * statistics.median(seconds), 1), round(rate, 1)


def _is_past(moment: float) -> bool:
    return time.perf_counter() > moment


def _is_shown(terminal: Terminal, letter: bytes) -> bool:
    return letter in terminal.written


def _line(index: int) -> str:
    text = " ".join(WORDS[(index * 7 + place) % len(WORDS)] for place in range(60))
    return json.dumps({"prompt": f"What happened on day {index}?", "text": text}) + "\n"


class PacedChat(ScriptedChat):
    """Sends its script as the engine does: some tokens at once, at even times."""

    marks: list[float]

    async def _stream(self, reply: object) -> AsyncIterator[ChatEvent]:
        self.marks, sent, started = [], 0, time.monotonic()
        part = len(self.script) // PARTS
        async for event in super()._stream(reply):  # type: ignore[arg-type]
            yield event
            if isinstance(event, Piece):
                sent += 1
                if sent % part == 0:
                    self.marks.append(time.process_time())
                due = started + sent / WAKES_PER_SECOND
                await asyncio.sleep(max(0.0, due - time.monotonic()))


async def token_cost(tokens: int) -> dict[str, float]:
    """Of the last tenth of a reply over its second: the first pays for the beginning."""
    together = TOKENS_PER_SECOND / WAKES_PER_SECOND
    words = [WORDS[place % len(WORDS)] + (" " if place % 80 else "\n\n") for place in range(tokens)]
    script = ["".join(words[round(i * together) : round((i + 1) * together)]) for i in range(int(tokens / together))]
    assistant = ScriptedAssistant()
    chat = PacedChat(assistant.chat.profiles, assistant.chat.vectors)
    chat.script, assistant.chat, assistant.history = script, chat, ScriptedHistory(chat)
    app = app_of(assistant)
    async with app.run_test(size=(120, 40)) as pilot:
        await write(pilot, "a long one")
        done = complete(app)
        while not done():
            await asyncio.sleep(0.1)
    costs = [after - before for before, after in zip(chat.marks, chat.marks[1:], strict=False)]
    per_token = tokens / PARTS / 1000
    return {
        "token_cost_start_ms": round(costs[0] / per_token, 2),
        "token_cost_end_ms": round(costs[-1] / per_token, 2),
        "token_cost_ratio": round(costs[-1] / costs[0], 2),
    }


def measure(rounds: int, tokens: int) -> dict[str, float | str]:
    """All figures of one run."""
    return {
        **starts(rounds),
        **echoes(),
        **asyncio.run(token_cost(tokens)),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, "
        f"textual {textual.__version__}",
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tokens", type=int, default=5000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.rounds, arguments.tokens)
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:22} {value}")


if __name__ == "__main__":
    main()
