"""The settings file belongs to the person: what they wrote stays, what is not allowed is refused."""

from __future__ import annotations

import stat

import pytest
import tomlkit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.errors import SettingsError
from assistant.settings import Settings, load_settings, save_setting

WRITTEN = """\
# My settings.
[sampling]
temperature = 0.3  # calm
mood = "unknown here"

[future]
answer = 42
"""
SECTIONS = Settings().model_dump()
FIELDS = [(section, key) for section, values in SECTIONS.items() if section != "models" for key in values]
VALUES = st.one_of(st.booleans(), st.integers(), st.floats(), st.text())


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("settings") / "config" / "settings.toml"


def test_absent_file_means_defaults(tmp_path):
    assert load_settings(tmp_path / "none.toml") == Settings()


def test_what_the_person_wrote_stays(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(WRITTEN)
    saved = save_setting(path, "sampling", "temperature", 0.9)
    assert saved.sampling.temperature == 0.9
    assert path.read_text() == WRITTEN.replace("0.3", "0.9")
    save_setting(path, "model", "path", "ünïcode.gguf")
    assert path.read_text().startswith(WRITTEN.replace("0.3", "0.9"))
    assert load_settings(path).model.path == "ünïcode.gguf"


def test_line_ends_stay(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_bytes(WRITTEN.replace("\n", "\r\n").encode())
    save_setting(path, "sampling", "temperature", 0.9)
    assert path.read_bytes() == WRITTEN.replace("0.3", "0.9").replace("\n", "\r\n").encode()


def test_file_is_private_and_no_draft_is_left(tmp_path):
    path = tmp_path / "config" / "settings.toml"
    save_setting(path, "appearance", "sidebar", False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


@given(place=st.sampled_from(FIELDS), value=VALUES)
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_value_is_kept_exactly_or_refused_with_the_file_unchanged(path, place, value):
    section, key = place
    before = path.read_bytes() if path.exists() else None
    try:
        saved = save_setting(path, section, key, value)
    except SettingsError as error:
        assert "\n" not in str(error)
        assert key in str(error)
        assert (path.read_bytes() if path.exists() else None) == before
    else:
        assert getattr(getattr(saved, section), key) == value
        assert load_settings(path) == saved
    finally:
        assert not path.with_suffix(".new").exists()


@pytest.mark.parametrize(
    ("section", "key", "value", "words"),
    [
        ("sampling", "temperature", -0.1, "greater than or equal to 0"),
        ("sampling", "temperature", "hot", "valid number"),
        ("sampling", "top_p", 0, "greater than 0"),
        ("model", "context_tokens", 10, "greater than or equal to 256"),
        ("model", "system_prompt", "lone \ud800 surrogate", "system_prompt"),
    ],
)
def test_what_is_not_allowed_is_refused(tmp_path, section, key, value, words):
    path = tmp_path / "settings.toml"
    path.write_text(WRITTEN)
    with pytest.raises(SettingsError, match=words):
        save_setting(path, section, key, value)
    assert path.read_text() == WRITTEN
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"[sampling\n", "line 1"),
        (b"[sampling]\ntemperature = 9\n", r"sampling\.temperature: .* \(found 9\)"),
        (b"sampling = 3\n", "sampling: "),
        (b"[model]\npath = '\xff'\n", "utf-8"),
        (b"[model]\npath = 'a'\n[model]\npath = 'b'\n", "exists"),
    ],
)
def test_broken_file_is_named_and_never_written(tmp_path, data, words):
    path = tmp_path / "settings.toml"
    path.write_bytes(data)
    with pytest.raises(SettingsError, match=rf"settings\.toml: .*{words}") as caught:
        load_settings(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(SettingsError, match=r"settings\.toml"):
        save_setting(path, "sampling", "top_k", 7)
    assert path.read_bytes() == data


def test_unreadable_place_is_named(tmp_path):
    (tmp_path / "settings.toml").mkdir()
    with pytest.raises(SettingsError, match=r"settings\.toml: cannot be read"):
        load_settings(tmp_path / "settings.toml")
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"cannot save sampling\.top_k"):
        save_setting(tmp_path / "file" / "settings.toml", "sampling", "top_k", 7)


def test_every_setting_can_be_drawn():
    schema = Settings.model_json_schema()
    for section, values in SECTIONS.items():
        if section in ("models", "keys"):  # single models' values are drawn with sampling; keys have their own page
            continue
        reference = schema["properties"][section]["$ref"].rsplit("/", 1)[1]
        fields = schema["$defs"][reference]["properties"]
        assert set(fields) == set(values)
        assert all(field["title"] and field["description"] for field in fields.values())


def test_change_is_in_force_at_once(assistant):
    assistant.change_setting("sampling", "top_k", 7)
    assert assistant.settings.sampling.top_k == 7
    with pytest.raises(SettingsError):
        assistant.change_setting("sampling", "top_k", -7)
    assert assistant.settings.sampling.top_k == 7
    assert tomlkit.parse(assistant.paths.settings.read_text())["sampling"]["top_k"] == 7
