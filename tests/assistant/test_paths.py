"""Where everything lies, and that nobody else can read it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from assistant.errors import AssistantError
from assistant.paths import resolve_paths


@pytest.fixture
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def test_home_goes_before_the_environment_before_the_platform(tmp_path, monkeypatch):
    platform = resolve_paths()
    assert {path.name for path in (platform.config, platform.data, platform.cache)} == {"private-assistant"}
    assert platform.data.is_relative_to(Path.home())
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    assert resolve_paths().data == tmp_path / "xdg" / "private-assistant"
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "chosen"))
    assert resolve_paths().database == tmp_path / "chosen" / "data" / "history.db"
    assert resolve_paths(tmp_path / "named").settings == tmp_path / "named" / "config" / "settings.toml"
    monkeypatch.setenv("ASSISTANT_HOME", "")
    assert resolve_paths().config == platform.config


def test_home_may_be_relative_or_begin_with_a_tilde():
    assert resolve_paths(Path("here")).data == Path.cwd() / "here" / "data"
    assert resolve_paths(Path("~/there")).data == Path.home() / "there" / "data"


def test_folders_are_private_whatever_the_umask(tmp_path, open_umask):
    home = tmp_path / "new" / "home"
    resolve_paths(home).create()
    folders = [tmp_path / "new", home, *(path for path in home.rglob("*") if path.is_dir())]
    assert len(folders) >= 7
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_folders_that_are_too_open_are_tightened(tmp_path, open_umask):
    (tmp_path / "data").mkdir(mode=0o777)
    resolve_paths(tmp_path).create()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_what_a_link_leads_to_is_left_as_it_is(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o775)
    home = resolve_paths(tmp_path / "home")
    home.data.mkdir(parents=True)
    home.models.symlink_to(shared)
    home.create()
    assert stat.S_IMODE(shared.stat().st_mode) == 0o775
    assert stat.S_IMODE(home.data.stat().st_mode) == 0o700


def test_place_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AssistantError, match=r"file/config: cannot be made or written .*--home"):
        resolve_paths(tmp_path / "file").create()
    assert (tmp_path / "file").read_text() == "in the way"
