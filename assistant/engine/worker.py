"""The engine process: reads requests on stdin, writes events on stdout, one JSON object a line.

It ends by itself when stdin closes, that is when the app is gone, even in the middle of a reply. Its stderr
is a log for native messages; no text of a conversation is ever written there.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from assistant.channel import Decoder, ProtocolError
from assistant.engine.abort import AbortFlag
from assistant.engine.outbox import Outbox
from assistant.engine.prefixes import prefix_budget
from assistant.engine.protocol import Beat, Event, Failed, Generate, Load, Loading, Request, Steer, Steered, Stop
from assistant.engine.reply import generate
from assistant.engine.session import Session
from assistant.engine.tuning import OtherWork
from assistant.errors import AssistantError, EngineError, ModelError
from assistant.models.header import read_header
from assistant.no_core_dump import forbid_core_dumps
from assistant.no_network import forbid_network
from steering.control_vector import ControlVector, ControlVectorError

Inbox = queue.SimpleQueue[Request | ProtocolError]
BEAT_SECONDS = 1.0
FIRST_LOOK_SECONDS = 0.2
"""So soon a reply looks what else the machine does; what it did before the reply says nothing."""
STACK_BYTES = 2**29
"""Some tokenizers take 300 bytes of it for every letter of a word; what is not used costs nothing."""


class Worker:
    """Carries out requests one after the other."""

    def __init__(self, emit: Callable[[Event], None], abort: AbortFlag) -> None:
        self._emit, self._abort = emit, abort
        self._session: Session | None = None
        self._work = OtherWork()

    def handle(self, request: Request | ProtocolError) -> None:
        """Answer one request with its events; what the user can act on becomes `Failed`."""
        try:
            with self._beating():
                self._carry_out(request)
        except AssistantError as error:
            self._emit(Failed(str(error)))

    def _carry_out(self, request: Request | ProtocolError) -> None:
        match request:
            case Load():
                self._load(request)
            case Steer():
                self._steer(request)
            case Generate():
                generate(self._loaded(), request, self._emit)
            case ProtocolError():
                raise request

    @contextmanager
    def _beating(self) -> Iterator[None]:
        """Meanwhile say every second that the process lives, and look how busy the machine is with other work."""
        over = threading.Event()
        self._work.busy_cores()

        def beat() -> None:
            if not over.wait(FIRST_LOOK_SECONDS):
                self._look_around()
            while not over.wait(BEAT_SECONDS):
                self._emit(Beat())
                self._look_around()

        threading.Thread(target=beat, daemon=True).start()
        try:
            yield
        finally:
            over.set()

    def _look_around(self) -> None:
        """See how busy the machine has been with other work since this was last looked at."""
        busy = self._work.busy_cores()
        if self._session:
            self._session.neighbours.cores = busy

    def _load(self, request: Load) -> None:
        if self._session:
            self._session.close()
            self._session = None
        read_header(Path(request.model_path))
        self._session = Session(
            request,
            self._abort,
            prefix_budget=prefix_budget(),
            on_progress=lambda share: self._emit(Loading(share)),
        )
        self._emit(self._session.loaded)

    def _steer(self, request: Steer) -> None:
        session = self._loaded()
        if request.vector_path is None or request.strength == 0:
            session.steer({}, 0.0)
            self._emit(Steered(None, 0.0))
            return
        path = Path(request.vector_path)
        try:
            vector = ControlVector.read_gguf(path)
        except ControlVectorError as error:
            raise EngineError(f"{error}; rebuild the profile") from error
        _check_fits(vector, session, path)
        session.steer(vector.directions, request.strength, request.positions)
        self._emit(Steered(request.vector_path, request.strength))

    def _loaded(self) -> Session:
        if self._session is None:
            raise EngineError("no model is loaded; choose one in the settings")
        return self._session


def _check_fits(vector: ControlVector, session: Session, path: Path) -> None:
    width, blocks = session.model.width, session.model.blocks
    wrong = [block for block, row in vector.directions.items() if block >= blocks or row.shape != (width,)]
    if wrong:
        raise ModelError(
            f"{path}: the control vector is made for another model (it steers block {wrong[0]} at width "
            f"{vector.directions[wrong[0]].size}; this model has blocks 0 to {blocks - 1} of width {width}); "
            "rebuild the profile for this model"
        )


def read_requests(stream: BinaryIO, inbox: Inbox, abort: AbortFlag) -> None:
    """Put requests into the inbox; `Stop` acts at once. At the end of the stream the process ends.

    The app sends a request only after the one before was answered, so a `Stop` always means the last request,
    also where it has not begun yet, and one that comes late is forgotten with the next request.
    """
    decoder: Decoder[Request] = Decoder((Load, Steer, Generate, Stop))
    for line in stream:
        try:
            request: Request | ProtocolError = decoder.decode(line)
        except ProtocolError as error:
            request = error
        if isinstance(request, Stop):
            abort.set()
        else:
            abort.clear()
            inbox.put(request)
    os._exit(0)  # nobody is left to talk to, and the other thread may be deep in native code


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))


def main() -> None:
    """Serve until stdin closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    events = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what native code prints on "stdout" must not land between events
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s")
    forbid_network(logging.warning)
    forbid_core_dumps()
    abort, inbox, outbox = AbortFlag(), Inbox(), Outbox(events)
    outbox.put(Beat())  # from now on silence counts: all is imported
    threading.stack_size(STACK_BYTES)
    serving = threading.Thread(target=_serve, args=(Worker(outbox.put, abort), inbox), daemon=True)
    serving.start()
    threading.stack_size(0)
    read_requests(sys.stdin.buffer, inbox, abort)


def _serve(worker: Worker, inbox: Inbox) -> None:
    try:
        while True:
            worker.handle(inbox.get())
    except BaseException as error:
        # What it says may be part of a conversation; and the reader, deep in a read, would make the end an abort.
        logging.error("%s at %s", type(error).__name__, _place(error))
        os._exit(1)


if __name__ == "__main__":
    main()
