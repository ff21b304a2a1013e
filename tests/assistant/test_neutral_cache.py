"""What is neutral comes back as it was kept, or not at all."""

from __future__ import annotations

import stat

import pytest

from assistant.engine.protocol import Sampling
from assistant.paths import resolve_paths
from assistant.rebuild.neutral_cache import NeutralCache
from steering.profile import KeptVector

REPLIES = ("", "a reply\n", "日本語 😀 \x00")
VECTOR = KeptVector("abc", {4: (0.1, -2.5e-8), 16: (3.0, 1 / 3)})


@pytest.fixture
def cache(tmp_path) -> NeutralCache:
    return NeutralCache(resolve_paths(tmp_path), "model", Sampling())


def test_what_was_kept_comes_back(cache, tmp_path):
    assert (cache.read(), cache.read_author()) == ((), None)
    cache.write(REPLIES)
    cache.write_author(VECTOR)
    assert (cache.read(), cache.read_author()) == (REPLIES, VECTOR)
    files = list(tmp_path.rglob("*.json"))
    assert len(files) == 2 and all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    assert NeutralCache(resolve_paths(tmp_path), "another model", Sampling()).read() == ()
    assert NeutralCache(resolve_paths(tmp_path), "model", Sampling(temperature=0.1)).read_author() is None


@pytest.mark.parametrize("damaged", [b"", b"{", b"[1, 2]", b"null", b"[" * 100_000, b'{"key": 1}', b"\xff\xfe"])
def test_what_is_damaged_is_made_again(cache, tmp_path, damaged):
    cache.write(REPLIES)
    cache.write_author(VECTOR)
    for path in tmp_path.rglob("*.json"):
        path.write_bytes(damaged)
    assert (cache.read(), cache.read_author()) == ((), None)


def test_without_room_nothing_is_kept(cache, tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    cache.write(REPLIES)
    cache.write_author(VECTOR)
    assert not list(tmp_path.rglob("*.json"))
