"""Versions compared, written to a file, read back and deleted; the files are made and read by zipfile itself."""

from __future__ import annotations

import json
import stat
import tempfile
import zipfile

import numpy as np
import pytest

from assistant.app import Assistant
from assistant.errors import AssistantError
from assistant.rebuild.runner import _inputs_hash
from assistant.records import Phrase
from tests.assistant.made import add_profile, vector_bytes
from tests.tiny_models import write_vector


@pytest.fixture
def vector(tmp_path) -> bytes:
    return vector_bytes(tmp_path)


@pytest.fixture
async def written(assistant, vector, tmp_path):
    version = add_profile(assistant, vector).version
    path = tmp_path / "one.zip"
    await assistant.profiles.export_version(version, path)
    return path


def changed(path, target, vector=None, **changes):
    """The file with some of its words or its vector replaced."""
    with zipfile.ZipFile(path) as held:
        words, kept = json.loads(held.read("profile.json")), held.read("vector.gguf")
    outcome = words["outcome"] | changes.pop("outcome", {})
    with zipfile.ZipFile(target, "w") as out:
        out.writestr("profile.json", json.dumps(words | changes | {"outcome": outcome}))
        if vector != b"":
            out.writestr("vector.gguf", vector or kept)
    return target


def test_a_file_holds_all_but_the_names_of_texts(assistant, written, vector):
    with zipfile.ZipFile(written) as held:
        assert sorted(held.namelist()) == ["profile.json", "vector.gguf"]
        assert held.read("vector.gguf") == vector
        words = json.loads(held.read("profile.json"))
    assert words["description"] == "Says aye."
    assert words["model_fingerprint"] == assistant.model.fingerprint()
    assert [(phrase["text"], phrase["item_ids"]) for phrase in words["outcome"]["phrases"]] == [("aye", [])]
    assert stat.S_IMODE(written.stat().st_mode) == 0o600


async def test_an_imported_version_comes_back_after_a_restart_and_can_be_rolled_back_to(home, vector, tmp_path):
    first = Assistant.open(home)
    made = add_profile(first, vector)
    first.profiles.use(made.version)
    words = first.profiles.set_description("My own words.")
    await first.profiles.export_version(made.version, tmp_path / "one.zip")
    added = await first.profiles.import_version(tmp_path / "one.zip")
    assert first.profiles.state().version == made.version, "importing puts nothing to use"
    await first.close()
    again = Assistant.open(home)
    found = again.profiles.use(added.version)
    assert (found.imported, found.other_model, found.stale) == (True, False, False)
    assert (found.description, found.description_edited) == ("My own words.", True)
    assert found.created_at == words.created_at
    assert again.profiles.vector(found) == vector
    assert again.preferences.items() == [], "nothing is learned from it as a text"
    assert again.chat.steering().on
    assert not again.profiles.use(made.version).imported
    await again.close()


async def test_a_version_is_looked_into_within_the_home(assistant, written, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert (await assistant.profiles.import_version(written)).imported


async def test_a_version_for_another_model_says_so_and_does_not_steer(assistant, written, tmp_path):
    other = await assistant.profiles.import_version(
        changed(written, tmp_path / "other.zip", model_fingerprint="of another model")
    )
    assert other.other_model
    assistant.profiles.use(other.version)
    status = assistant.chat.steering()
    assert (status.on, status.note) == (False, "the profile is for another model")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "x"}, "some other file"),
        ({"version": 2}, "newer program"),
        ({"description": 5}, "description is missing or is not"),
        ({"description": "x" * 20_001}, "longer than 20,000"),
        ({"description": "\ud800"}, "not JSON in UTF-8"),
        ({"model_fingerprint": "a\x1b[2J"}, "not plain text"),
        ({"outcome": {"gain_nats_per_token": 1e300}}, "too large"),
        ({"outcome": {"gain_nats_per_token": float("nan")}}, "too large, or none"),
        ({"outcome": {"gain_nats_per_token": 1e4}}, "no gain that text can have"),
        (
            {"outcome": {"curve": [{"strength": 1, "gain": "nan", "kl": 0}]}},
            "outcome.curve.0.gain is missing or is not",
        ),
        ({"outcome": {"curve": [{"strength": "inf", "gain": 0, "kl": 0}]}}, "outcome.curve.0.strength is missing or"),
        ({"outcome": {"safe_strength": -1}}, "out of range"),
        ({"outcome": {"harm": None}}, "outcome.harm is missing"),
        ({"vector": b""}, "which is not in it"),
        ({"vector": b"GGUF"}, "is not a control vector"),
    ],
)
async def test_a_hostile_file_is_refused_in_words(assistant, written, tmp_path, changes, words):
    before = assistant.profiles.all()
    with pytest.raises(AssistantError, match=words) as refused:
        await assistant.profiles.import_version(changed(written, tmp_path / "bad.zip", **changes))
    assert "\n" not in str(refused.value)
    assert assistant.profiles.all() == before


async def test_a_vector_that_does_not_fit_the_model_it_names_is_refused(assistant, written, tmp_path):
    wrong = write_vector(tmp_path / "wrong.gguf", {1: np.ones(8, np.float32)}).read_bytes()
    with pytest.raises(AssistantError, match="does not fit the model that it names"):
        await assistant.profiles.import_version(changed(written, tmp_path / "bad.zip", vector=wrong))


async def test_what_is_no_archive_or_a_bomb_is_refused(assistant, written, tmp_path):
    bad = tmp_path / "bad.zip"
    for data, words in ((b"", "is not an exported"), (written.read_bytes()[:-40], "is not an exported")):
        bad.write_bytes(data)
        with pytest.raises(AssistantError, match=words):
            await assistant.profiles.import_version(bad)
    with zipfile.ZipFile(bad, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("profile.json", b" " * (5 << 20))
    with pytest.raises(AssistantError, match="is broken"):
        await assistant.profiles.import_version(bad)
    with pytest.raises(AssistantError, match="no such file"):
        await assistant.profiles.import_version(tmp_path)


async def test_an_existing_file_is_kept_unless_it_shall_be_replaced(assistant, written):
    written.write_bytes(b"mine")
    with pytest.raises(AssistantError, match="exists already"):
        await assistant.profiles.export_version(1, written)
    assert written.read_bytes() == b"mine"
    await assistant.profiles.export_version(1, written, force=True)
    assert zipfile.is_zipfile(written)


def test_the_version_that_steers_is_not_deleted_and_texts_stay(assistant, home, vector):
    text = assistant.preferences.add_text("aye, that is how")
    made = add_profile(assistant, vector, learned=(f"writing:{text.id}",))
    used = assistant.profiles.use(made.version)
    path = assistant.profiles.vector_path(used)
    with pytest.raises(AssistantError, match="is in use; put another one to use or switch"):
        assistant.profiles.delete(made.version)
    assistant.profiles.set_enabled(False)
    assistant.profiles.delete(made.version)
    assert assistant.profiles.all() == []
    assert not path.exists()
    assert [item.item.text for item in assistant.preferences.items()] == ["aye, that is how"]
    with pytest.raises(AssistantError, match="does not exist"):
        assistant.profiles.delete(made.version)
    vectors = [file for file in home.rglob("*") if file.is_file() and vector in file.read_bytes()]
    assert vectors == []


async def test_comparison_names_what_changed(assistant, vector, written):
    old = add_profile(assistant, vector, learned=("writing:101", "writing:102"), description="Says aye.\nIs brief.")
    new = add_profile(
        assistant,
        vector,
        learned=("writing:102", "writing:103"),
        description="Says aye.\nIs long.",
        phrases=(Phrase("wee", 1.0, 1, ()),),
        dose=0.25,
    )
    found = assistant.profiles.compare(old.version, new.version)
    assert (found.items_added, found.items_removed, found.items_changed) == (("writing:103",), ("writing:101",), ())
    assert (found.phrases_added, found.phrases_removed) == (("wee",), ("aye",))
    assert found.description == ("  Says aye.", "- Is brief.", "+ Is long.")
    assert [(figure.name, figure.before, figure.after) for figure in found.figures if figure.changed] == [
        ("dose", "0.1", "0.25")
    ]
    imported = await assistant.profiles.import_version(written)
    assert assistant.profiles.compare(old.version, imported.version).items_added is None


def test_the_command_line_exports_imports_compares_and_deletes(cli, home, vector, tmp_path):
    opened = Assistant.open(home)
    add_profile(opened, vector)
    opened.store.close()
    path = tmp_path / "one.zip"

    def done(*arguments, **options) -> str:
        result = cli("profile", *arguments, **options)
        assert result.returncode == 0, result.stderr
        return result.stdout.decode()

    assert "one.zip: written" in done("export", path, "--version", "1")
    assert cli("profile", "export", path, "--version", "1").returncode != 0
    added = json.loads(done("import", path, "--json"))
    assert (added["version"], added["imported"], added["in_use"]) == (2, True, False)
    assert "2" in done("list")
    assert "imported" in done("list")
    assert json.loads(done("compare", "1", "2", "--json"))["phrases_added"] == []
    assert "Version 1 → version 2" in done("compare", "1", "2")
    assert cli("profile", "delete", "2", stdin="n\n").returncode != 0
    assert done("delete", "2", stdin="y\n") == "Version 2 is erased.\n"
    assert done("delete", "1", "--yes") == "Version 1 is erased.\n"
    assert done("list") == ""


async def test_an_imported_version_does_not_make_an_unchanged_rebuild_run_again(assistant, vector, written):
    for number in range(5):
        assistant.preferences.add_text(f"A text of mine, the number {number}.", "Which one?")
    inputs = _inputs_hash(assistant.rebuild._request(assistant.preferences.items()))
    made = add_profile(assistant, vector, inputs_hash=inputs)
    assert (await assistant.profiles.import_version(written)).version > made.version
    events = [event async for event in assistant.rebuild.run()]
    assert [(event.profile.version, event.unchanged) for event in events] == [(made.version, True)]


async def test_how_long_an_imported_version_took_says_nothing_of_this_machine(assistant, written, tmp_path):
    before = await assistant.rebuild.expectation()
    slow = changed(written, tmp_path / "slow.zip", outcome={"seconds": {"effects": 90_000.0}})
    await assistant.profiles.import_version(slow)
    assert (await assistant.rebuild.expectation()).words == before.words


async def test_a_file_is_read_and_written_beside_what_else_goes_on(assistant, vector, tmp_path):
    made = add_profile(assistant, vector)
    path = tmp_path / "one.zip"
    await assistant.profiles.export_version(made.version, path)
    added = await assistant.profiles.import_version(path)
    assert (added.outcome.method, assistant.profiles.vector(added)) == (made.outcome.method, vector)
    with pytest.raises(AssistantError, match="exists already"):
        await assistant.profiles.export_version(made.version, path)
    path.write_bytes(b"PK")
    with pytest.raises(AssistantError, match="is not an exported version"):
        await assistant.profiles.import_version(path)
    assert len(assistant.profiles.all()) == 2
