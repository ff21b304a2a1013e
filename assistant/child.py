"""A child process as the app sees it: start it, talk to it in lines of JSON, say how it died."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Generic, TypeVar

import assistant
from assistant.channel import Decoder, ProtocolError, encode
from assistant.errors import EngineDied, EngineError
from assistant.scratch import scratch_folder

EventT = TypeVar("EventT")

LONGEST_LINE = 16 * 2**20
LONGEST_LOG = 2**20
LONGEST_LAST_WORDS = 200
CLOSE_SECONDS = 3.0
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "GGML_NO_BACKTRACE": "1",  # an assertion would start a debugger
}


class Child(Generic[EventT]):
    """One process of ours. Its native messages go to the log file, readable by the user only."""

    def __init__(
        self, process: asyncio.subprocess.Process, decoder: Decoder[EventT], name: str, log_path: Path, log_start: int
    ) -> None:
        self._process, self._decoder, self._name = process, decoder, name
        self._log_path, self._log_start = log_path, log_start
        self._killed = False
        self._heard = False
        self._work_before: object = None

    @classmethod
    async def spawn(
        cls,
        module: str,
        events: Iterable[type[EventT]],
        name: str,
        log_path: Path,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> Child[EventT]:
        """Start `python -m module`, which answers in `events`; `name` ("the engine") is what messages call it.

        `environment` is added to the app's own.

        Raises: EngineError: the log cannot be written or the process cannot be started.
        """
        try:
            with _open_log(log_path) as log:
                start = log.tell()
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-P", "-m", module),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    env={**_environment(), **environment, "TMPDIR": str(_temporary(log_path.parent))},
                    limit=LONGEST_LINE,
                    start_new_session=True,  # ctrl+c in the terminal is for the app alone
                )
        except OSError as error:
            raise EngineError(f"{name} cannot be started ({error}); see {log_path.parent}") from error
        return cls(process, Decoder(events), name, log_path, start)

    @property
    def alive(self) -> bool:
        """Whether the process has not been seen to end, nor been killed."""
        return self._process.returncode is None and not self._killed

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def send(self, request: Any) -> None:
        """Write a request.

        Raises: EngineDied: the process has died.
        """
        assert self._process.stdin is not None, "the pipe is made at spawn"
        try:
            self._process.stdin.write(encode(request))
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise await self.death() from None

    async def receive(self) -> EventT:
        """The next event.

        Raises: EngineDied: the process has died. EngineError: it wrote what is no event (it is then ended).
        """
        assert self._process.stdout is not None, "the pipe is made at spawn"
        line = await self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise await self.death()
        self._heard = True
        try:
            return self._decoder.decode(line)
        except ProtocolError as error:
            self.kill()
            raise EngineError(f"{self._name} wrote what is no event ({error}); try again, it restarts") from error

    def still_starting(self) -> bool:
        """Whether it has said nothing yet but has worked since this was last asked: imports are slow on a cold disk.

        While a library is read the process cannot speak: the interpreter is held.
        """
        before, self._work_before = self._work_before, self._work_done()
        return not self._heard and self._work_before not in (None, before)

    def _work_done(self) -> object:
        import psutil  # not at the start of the app

        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            return process.cpu_times(), process.num_ctx_switches()
        return None

    def kill(self) -> None:
        """End the process at once."""
        if self.alive:
            self._process.kill()
            self._killed = True

    async def close(self) -> None:
        """Let the process end by itself, or end it."""
        assert self._process.stdin is not None, "the pipe is made at spawn"
        self._process.stdin.close()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()

    async def death(self) -> EngineDied:
        """Wait for the end of a process that closed its pipe, and say how it ended."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                code = await self._process.wait()
        except TimeoutError:
            self.kill()
            code = await self._process.wait()
        words = self._last_words() if code != -signal.SIGKILL else ""
        said = f'; its last words: "{words}"' if words else ""
        return EngineDied(f"{self._name} {_describe(code)}{said}; try again, it restarts by itself")

    def _last_words(self) -> str:
        try:
            with self._log_path.open("rb") as log:
                log.seek(self._log_start)
                lines = log.read(LONGEST_LOG).decode("utf-8", "replace").split("\n")
        except OSError:
            return ""
        spoken = [line.strip() for line in lines if line.strip() and not line.startswith("WARNING")]
        return "".join(c for c in spoken[-1] if c.isprintable())[:LONGEST_LAST_WORDS] if spoken else ""


def _describe(code: int) -> str:
    if code == -signal.SIGKILL:
        return "was killed by signal 9 (out of memory? close other programs or choose a smaller model)"
    if code < 0:
        return f"crashed (signal {-code}, {signal.strsignal(-code)}); the model file may not suit it"
    return f"ended with exit code {code}"


def _open_log(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)
    if os.fstat(descriptor).st_size > LONGEST_LOG:
        os.ftruncate(descriptor, 0)
    log = os.fdopen(descriptor, "ab")
    log.seek(0, os.SEEK_END)
    return log


def _temporary(cache: Path) -> Path:
    try:
        return scratch_folder(cache)
    except OSError:  # a full disk must not keep anybody from chatting
        return cache


def _environment() -> dict[str, str]:
    """The app's environment, no network and no telemetry; -P and the path keep foreign packages out."""
    home = str(Path(assistant.__file__).resolve().parents[1])
    known = os.environ.get("PYTHONPATH")
    return {**os.environ, **QUIET, "PYTHONPATH": f"{home}{os.pathsep}{known}" if known else home}
