"""A Hugging Face hub on 127.0.0.1 that can be told to misbehave. It answers what the client asks, nothing else."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c" * 40
REPOSITORY = "maker/Model-GGUF"
PIECE = 4096


@dataclass
class Hub:
    """What it holds and how it behaves.

    Attributes:
        files: contents by name in `repository`.
        refusal: a status (with headers) for everything.
        refuse_get: statuses that the next downloads get, one each.
        cut: the next downloads end after so many bytes, one each, as if the line were cut.
        before: called before every answer, with its path.
        gate: a slow stream: after every piece, told where in the file it ends, it waits until the test lets it go on.
        ranges: whether a download can begin in the middle.
        lie: what is sent instead of the contents.
        asked: the path, Range and Authorization of every request.
    """

    files: dict[str, bytes | memoryview] = field(default_factory=dict)
    repository: str = REPOSITORY
    refusal: tuple[int, dict[str, str]] | None = None
    refuse_get: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    cut: list[int] = field(default_factory=list)
    before: Callable[[str], None] = lambda path: None
    gate: Callable[[int], None] = lambda end: None
    ranges: bool = True
    lie: Callable[[bytes], bytes] = lambda data: data
    checksum: Callable[[bytes], str] = lambda data: hashlib.sha256(data).hexdigest()
    asked: list[tuple[str, str, str | None, str | None]] = field(default_factory=list)
    sent: int = 0
    url: str = ""

    @property
    def downloads(self) -> list[str | None]:
        """Where each download began: its Range, or None for the beginning."""
        return [began for method, path, began, _ in self.asked if method == "GET" and "/resolve/" in path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        hub = self.hub
        hub.asked.append((self.command, self.path, self.headers["Range"], self.headers["Authorization"]))
        hub.before(self.path)
        if hub.refusal:
            return self._refuse(*hub.refusal)
        if self.path.startswith(f"/api/models/{hub.repository}/tree/main"):
            return self._tree()
        name = self.path.partition("/resolve/")[2].partition("/")[2]
        if not self.path.startswith(f"/{hub.repository}/resolve/"):
            return self._refuse(404, {"X-Error-Code": "RepoNotFound"})
        if name not in hub.files:
            return self._refuse(404, {"X-Error-Code": "EntryNotFound"})
        if body and hub.refuse_get:
            return self._refuse(*hub.refuse_get.pop(0))
        return self._file(hub.files[name], body)

    def _refuse(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in (headers | {"Content-Length": "0"}).items():
            self.send_header(key, value)
        self.end_headers()

    def _tree(self) -> None:
        entries = [
            {"type": "file", "path": name, "size": len(data), "oid": "0" * 40} for name, data in self.hub.files.items()
        ]
        answer = json.dumps(entries).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _file(self, data: bytes, body: bool) -> None:
        began = self.headers["Range"] if body and self.hub.ranges else None
        start = int(began.removeprefix("bytes=").rstrip("-")) if began else 0
        self.send_response(206 if began else 200)
        if began:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        for key, value in {
            "X-Repo-Commit": COMMIT,
            "X-Linked-Etag": f'"{self.hub.checksum(data)}"',
            "X-Linked-Size": str(len(data)),
            "Content-Length": str(len(data) - start),
        }.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            with suppress(ConnectionError):
                self._send(self.hub.lie(data)[start:], start)

    def _send(self, data: bytes, start: int) -> None:
        cut = self.hub.cut.pop(0) if self.hub.cut else len(data)
        for at in range(0, min(cut, len(data)), PIECE):
            piece = data[at : min(at + PIECE, cut)]
            self.wfile.write(piece)
            self.hub.sent += len(piece)
            self.hub.gate(start + at + len(piece))
        if cut < len(data):
            self.close_connection = True


def serving(hub: Hub):
    """A server of this hub, serving in a thread; close it with `shutdown`."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server
