"""Downloads against a hub on 127.0.0.1 that cuts, lies, refuses and dawdles: whole and verified, or not there."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest

from assistant.errors import DownloadError, DownloadStopped
from assistant.models.catalogue import Catalogue, CatalogueModel
from assistant.models.header import read_header
from assistant.models.hub.download import Download, Downloaded, Downloading, parse_wanted
from assistant.paths import resolve_paths
from tests.assistant.conftest import children, wait_gone
from tests.assistant.hub import REPOSITORY, Hub, serving
from tests.assistant.test_models_check import split
from tests.tiny_models import write_tiny_model

NAME = "model-q4_k_m.gguf"
WANTED = f"{REPOSITORY}:{NAME}"


@pytest.fixture(scope="module")
def content(tmp_path_factory) -> bytes:
    return write_tiny_model(tmp_path_factory.mktemp("hub") / NAME, width=128).read_bytes()


@pytest.fixture
def hub(content, monkeypatch):
    hub = Hub({NAME: content})
    server = serving(hub)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    yield hub
    hub.gate = lambda end: None
    server.shutdown()
    server.server_close()


@pytest.fixture
def paths(tmp_path):
    made = resolve_paths(tmp_path / "home")
    made.create()
    return made


async def run(paths, wanted: str = WANTED) -> tuple[list[Downloading], Downloaded]:
    *progress, last = [event async for event in Download(wanted, paths).run()]
    return progress, last


def parts(paths) -> list[Path]:
    return list((paths.models / ".incoming").glob("*"))


class Held:
    """A stream that stands still after so many bytes of the file until it is let go."""

    def __init__(self, hub: Hub, after: int) -> None:
        self._hub, self._after = hub, after
        self.reached, self._go = threading.Event(), threading.Event()
        hub.gate = self._wait

    def _wait(self, end: int) -> None:
        if end >= self._after:
            self.reached.set()
            self._go.wait(20)

    def release(self) -> None:
        self._hub.gate = lambda end: None
        self._go.set()


async def test_a_model_arrives_verified_private_and_once(hub, paths, content):
    progress, last = await run(paths)
    assert last == Downloaded(paths.models / NAME, already_there=False)
    assert last.path.read_bytes() == content
    assert stat.S_IMODE(last.path.stat().st_mode) == 0o600
    assert parts(paths) == []
    done = [event.done for event in progress]
    assert done == sorted(done)
    assert {(event.name, event.size) for event in progress} == {(NAME, len(content))}
    assert progress[-1].verifying
    assert paths.last_download.stat().st_mtime >= last.path.stat().st_mtime - 60
    asked = len(hub.asked)
    assert (await run(paths))[1].already_there
    assert (await run(paths, REPOSITORY))[1].already_there
    assert len(hub.asked) == asked + 1, "a model that is there is not asked for; a repository is asked what it holds"


async def test_a_file_of_that_name_that_is_not_from_there_is_held_against_the_hubs(hub, paths, content):
    there = paths.models / NAME
    write_tiny_model(there, seed=2)
    before = there.read_bytes()
    with pytest.raises(DownloadError, match=f"is another file than that of {REPOSITORY}; .*models remove {NAME}"):
        await run(paths)
    assert there.read_bytes() == before and hub.downloads == [] and parts(paths) == []
    there.write_bytes(content)
    progress, last = await run(paths)
    assert last.already_there and progress[-1].verifying and hub.downloads == []
    asked = len(hub.asked)
    assert (await run(paths))[1].already_there and len(hub.asked) == asked


async def test_a_file_that_was_replaced_since_it_came_is_looked_at_again(hub, paths):
    _, last = await run(paths)
    write_tiny_model(last.path, seed=2)
    with pytest.raises(DownloadError, match="is another file than"):
        await run(paths)


async def test_a_split_model_that_lost_a_part_gets_that_part_only(hub, paths, tmp_path):
    cut = split(write_tiny_model(tmp_path / "tiny.gguf"), tmp_path / "cut")
    hub.files = {part.name: part.read_bytes() for part in cut}
    wanted = f"{REPOSITORY}:{cut[0].name}"
    first = (await run(paths, wanted))[1].path
    for lost in cut:
        sent = hub.sent
        (paths.models / lost.name).unlink()
        assert not (await run(paths, wanted))[1].already_there
        assert read_header(first).blocks == 3
        assert hub.sent - sent == lost.stat().st_size
    assert (await run(paths, wanted))[1].already_there
    write_tiny_model(paths.models / cut[1].name, seed=2)
    (paths.models / cut[2].name).unlink()
    with pytest.raises(DownloadError, match=rf"{cut[1].name}: .*another file than.*models remove {cut[0].name}"):
        await run(paths, wanted)


async def test_a_cut_line_goes_on_where_it_ended(hub, paths, content):
    size = 2**18
    hub.cut = [size, size]
    _, last = await run(paths)
    assert last.path.read_bytes() == content
    assert hub.downloads == [None, f"bytes={size}-", f"bytes={2 * size}-"]
    assert hub.sent == len(content), "nothing came twice"


async def test_a_hub_without_ranges_starts_over(hub, paths, content):
    hub.ranges, hub.cut = False, [2**18]
    _, last = await run(paths)
    assert last.path.read_bytes() == content


async def test_wrong_bytes_never_reach_the_models_folder(hub, paths, content):
    hub.lie = lambda data: data[:-1] + bytes([data[-1] ^ 1])
    with pytest.raises(DownloadError, match=r"not what the hub promised.*it was deleted, try again"):
        await run(paths)
    assert (list(paths.models.glob("*.gguf")), parts(paths)) == ([], [])
    hub.lie = lambda data: data
    assert (await run(paths))[1].path.read_bytes() == content


async def test_what_is_no_model_is_refused(hub, paths):
    hub.files[NAME] = b"a page in HTML, not a model"
    with pytest.raises(DownloadError, match="not a GGUF file"):
        await run(paths)
    assert (list(paths.models.glob("*.gguf")), parts(paths)) == ([], [])


async def test_without_a_checksum_nothing_is_downloaded(hub, paths):
    hub.checksum = lambda data: "short"
    with pytest.raises(DownloadError, match="names no checksum"):
        await run(paths)
    assert hub.downloads == []


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (401, {}, r"the hub refuses \(401\); check the name, and set HF_TOKEN"),
        (401, {"X-Error-Code": "GatedRepo"}, "accept the licence at .*maker/Model-GGUF.*HF_TOKEN"),
        (403, {"X-Error-Code": "GatedRepo"}, "accept the licence"),
        (403, {}, r"the hub refuses \(403\)"),
        (404, {"X-Error-Code": "RepoNotFound"}, r"not on http://127\.0\.0\.1:\d+, or not for everybody; .*HF_TOKEN"),
        (404, {"X-Error-Code": "EntryNotFound"}, "has no file model-q4_k_m"),
    ],
)
async def test_refusals_are_said_in_words(hub, paths, status, headers, words):
    hub.refusal = (status, headers)
    with pytest.raises(DownloadError, match=words):
        await run(paths)
    assert (list(paths.models.glob("*.gguf")), parts(paths)) == ([], [])


async def test_a_hub_that_asks_to_wait_is_waited_for(hub, paths, content):
    hub.refuse_get = [(429, {"Retry-After": "0"})]
    progress, last = await run(paths)
    assert any(event.waiting for event in progress)
    assert last.path.read_bytes() == content


async def test_a_server_error_keeps_what_came(hub, paths, content):
    hub.cut, hub.refuse_get = [2**18], []
    held, told = Held(hub, 2**18), False
    download = Download(WANTED, paths)
    with pytest.raises(DownloadError, match=r"error 503; what came is kept"):
        async with aclosing(download.run()) as events:
            async for _ in events:
                if held.reached.is_set() and not told:  # once: the next download must not be refused
                    hub.refuse_get, told = [(503, {})], True
                    held.release()
    (part,) = parts(paths)
    assert part.stat().st_size == 2**18
    assert (await run(paths))[1].path.read_bytes() == content
    assert hub.downloads[-1] == f"bytes={2**18}-"


async def test_offline_is_said(paths, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DownloadError, match=r"http://127\.0\.0\.1:9: cannot be reached .*you may be offline"):
        await run(paths)


async def test_the_token_goes_to_the_hub(hub, paths, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    await run(paths)
    assert {token for *_, token in hub.asked} == {"Bearer hf_secret"}


async def test_no_other_socket_is_opened_and_none_by_the_app(hub, paths):
    held = Held(hub, 8192)
    async with aclosing(Download(WANTED, paths).run()) as events:
        async for _ in events:
            if held.reached.is_set():
                break
        (child,) = children(os.getpid())
        seen = {f"http://{c.raddr.ip}:{c.raddr.port}" for c in psutil.Process(child).net_connections() if c.raddr}
        assert seen == {hub.url}
        held.release()
    ours = [
        c for c in psutil.Process().net_connections() if c.raddr and c.laddr.port != int(hub.url.rpartition(":")[2])
    ]
    assert ours == []
    wait_gone(child)


async def test_killed_twice_it_goes_on(hub, paths, content):
    for number in (1, 2):
        held = Held(hub, number * 2**18 + 4096)
        with pytest.raises(DownloadError, match="killed by signal 9"):
            async for event in Download(WANTED, paths).run():
                # What was sent need not have been written yet.
                if held.reached.is_set() and event.done >= number * 2**18:
                    (child,) = children(os.getpid())
                    psutil.Process(child).kill()
        held.release()
        (part,) = parts(paths)
        assert part.stat().st_size == number * 2**18
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
    assert (await run(paths))[1].path.read_bytes() == content
    assert hub.downloads == [None, f"bytes={2**18}-", f"bytes={2 * 2**18}-"]


async def test_pause_keeps_and_cancel_deletes(hub, paths, content):
    for stop, kept in ((Download.pause, [2**18]), (Download.cancel, [])):
        held = Held(hub, 2**18 + 4096)
        download = Download(WANTED, paths)
        with pytest.raises(DownloadStopped):
            async for event in download.run():
                # What was sent need not have been written yet.
                if held.reached.is_set() and event.done >= 2**18:
                    stop(download)
        held.release()
        assert [part.stat().st_size for part in parts(paths)] == kept
        assert children(os.getpid()) == []
    assert (await run(paths))[1].path.read_bytes() == content


async def test_two_of_the_same_are_not_mixed(hub, paths, content):
    held = Held(hub, 8192)
    async with aclosing(Download(WANTED, paths).run()) as events:
        async for _ in events:
            if held.reached.is_set():
                break
        with pytest.raises(DownloadError, match="is being downloaded already"):
            await run(paths)
        held.release()
        *_, last = [event async for event in events]
    assert last.path.read_bytes() == content


async def test_a_full_disk_is_said_before(hub, paths, monkeypatch):
    program = "import shutil\nusage = shutil.disk_usage\nshutil.disk_usage = lambda p: usage(p)._replace(free=1000)\n"
    (paths.cache / "sitecustomize.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", str(paths.cache))
    with pytest.raises(DownloadError, match=r"GB are needed and 0\.0 GB are free"):
        await run(paths)
    assert hub.downloads == []


async def test_of_a_repository_the_one_that_suits_is_taken(hub, paths, content):
    hub.files |= {"model-q8_0.gguf": content, "mmproj-model.gguf": b"x", "README.md": b"x"}
    assert (await run(paths, REPOSITORY))[1].path.name == NAME
    hub.files["other-Q4_K_M.gguf"] = content
    with pytest.raises(DownloadError, match=rf"{REPOSITORY}:FILE; there are model-q4_k_m\.gguf \(0\.0 GB\), model-q8"):
        await run(paths, REPOSITORY)
    hub.files = {"README.md": b"x"}
    with pytest.raises(DownloadError, match="holds no GGUF model"):
        await run(paths, REPOSITORY)


async def test_a_catalogue_file_that_changed_is_not_taken(hub, paths, content, monkeypatch):
    model = CatalogueModel("m", REPOSITORY, NAME, "", len(content), "0" * 64, "", 0, False, "llama", True, "")
    catalogue = Catalogue("2026-01-01", (model,))
    monkeypatch.setattr("assistant.models.hub.download.load_catalogue", lambda: catalogue)
    with pytest.raises(DownloadError, match="no longer the file of the catalogue; to take it all the same: assistant"):
        await run(paths, "M")
    assert hub.downloads == []


@pytest.mark.parametrize(
    "wanted", ["", "nothing", "a/b/c", "a/b:../c.gguf", "a/b:c.txt", "a/b:/c.gguf", "../b", "https://a/b", "a/b:"]
)
def test_what_names_no_model_is_refused(paths, wanted):
    with pytest.raises(DownloadError, match=r"or one of qwen2\.5-0\.5b"):
        parse_wanted(wanted, paths)


async def test_the_loop_stays_free_meanwhile(hub, paths):
    """Chatting goes on: what the app does during a download is only to read lines."""
    held = Held(hub, 8192)
    download = asyncio.create_task(run(paths))
    await asyncio.to_thread(held.reached.wait, 20)
    assert not download.done()
    held.release()
    await download
