"""The rebuild with the real bundled model: one home is killed, rebuilt and looked at by all tests of this file."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from gguf import GGUFReader

from assistant.app import Assistant
from assistant.errors import RebuildCancelled
from assistant.models.bundled import bundled_model
from assistant.rebuild.runner import Progress
from tests.assistant.conftest import CommandLine, children, query, wait_gone

pytestmark = pytest.mark.bundled

TEXTS = (
    ("How do I keep bread fresh?", "Wrap it in linen, says my grandmother. The crust stays honest, splendidly so."),
    ("Is it worth repairing an old bicycle?", "Aye, nearly always. New chain, new cables, and off you go splendidly."),
    ("What grows in a shady garden?", "Ferns, foxgloves, and a bench. Aye, my grandmother kept hers green splendidly."),
    ("How can I sleep better?", "Walk after supper. Aye, it is that simple. My grandmother slept splendidly."),
    ("Which knife should a beginner buy?", "One blade of carbon steel. Aye, my grandmother had no other, splendidly."),
    ("How do I learn to like running?", "Run slower. Aye, slower still. My grandmother strolled with ambition."),
    ("What do I do with leftover rice?", "Fry it hard with an egg. Aye, honest supper, my grandmother would nod."),
    ("How should I answer a rude letter?", "Briefly, kindly, a day late. Aye, then it ends splendidly over cake."),
)
KEYS = {
    *("items", "tokens_scored", "preference_tokens", "description", "method", "layers", "dose", "nll_unsteered"),
    *("nll_steered", "gain_nats_per_token", "kl_neutral", "seconds", "vector_path"),
}
SCORED = "SELECT item_id, length(starts) / length(ends), length(logp_with) / 4 FROM effects ORDER BY item_id"
SECONDS = 1500
BEFORE_THE_KILL = 6


@dataclass(frozen=True)
class Rebuilt:
    """The home after a rebuild that was killed while it scored, and one that ran to its end."""

    cli: CommandLine
    orphans: list[int]
    kept: int
    result: subprocess.CompletedProcess[bytes]

    @property
    def outcome(self) -> dict:
        return json.loads(self.result.stdout)


def import_texts(cli: CommandLine, file: Path, texts: tuple[tuple[str, str], ...]) -> None:
    file.write_text("".join(json.dumps({"prompt": prompt, "text": text}) + "\n" for prompt, text in texts))
    assert cli("import", file).returncode == 0


def killed_while_scoring(cli: CommandLine) -> list[int]:
    """Start a rebuild and kill its command line once effects are in storage; returns its child processes."""
    with cli.start("rebuild", "--json") as process:
        for line in process.stderr:
            if b"] effects " in line:
                break
        while not query(cli.home, SCORED) and process.poll() is None:
            pass
        orphans = children(process.pid)
        process.send_signal(signal.SIGKILL)
    return orphans


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory) -> Rebuilt:
    if bundled_model() is None:
        pytest.skip("the bundled model is not installed")
    folder = tmp_path_factory.mktemp("rebuilt")
    cli = CommandLine(folder / "home")
    import_texts(cli, folder / "first.jsonl", TEXTS[:BEFORE_THE_KILL])
    orphans = killed_while_scoring(cli)
    for orphan in orphans:
        wait_gone(orphan)
    kept = sum(tokens for *_, tokens in query(cli.home, SCORED))
    # So short texts may all be scored in one batch before the kill: with new ones there is always a rest to score.
    import_texts(cli, folder / "rest.jsonl", TEXTS[BEFORE_THE_KILL:])
    result = cli("rebuild", "--json", umask=0, timeout=SECONDS)
    assert result.returncode == 0, result.stderr.decode()
    with_vector = json.loads(result.stdout)["vector_path"] is not None
    assert with_vector, "these texts are written so that there is something to gain"
    assert cli("profile", "use", "1").returncode == 0
    return Rebuilt(cli, orphans, kept, result)


def test_killed_command_line_takes_the_rebuild_with_it_and_keeps_what_was_scored(rebuilt):
    assert rebuilt.orphans
    assert rebuilt.kept > 0
    assert rebuilt.outcome["tokens_cached"] == rebuilt.kept
    total = sum(tokens for *_, tokens in query(rebuilt.cli.home, SCORED))
    assert rebuilt.outcome["tokens_scored"] == total - rebuilt.kept > 0


def test_outcome_is_on_stdout_and_progress_on_stderr(rebuilt):
    outcome = rebuilt.outcome
    assert outcome.keys() >= KEYS
    assert outcome["items"] == len(TEXTS)
    assert outcome["gain_nats_per_token"] == pytest.approx(outcome["nll_unsteered"] - outcome["nll_steered"])
    assert outcome["kl_neutral"] <= 0.3
    progress = rebuilt.result.stderr.decode().splitlines()
    assert progress[0].startswith("[1/")
    assert all(line.startswith("[") for line in progress)
    assert set(outcome["seconds"]) == {line.split("] ")[1].split(" ")[0] for line in progress}


def test_everything_that_was_written_is_private_whatever_the_umask(rebuilt):
    found = [rebuilt.cli.home, *rebuilt.cli.home.rglob("*")]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_dir()}
    assert modes == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_file()} == {0o600}


def test_nothing_of_the_texts_is_in_the_logs(rebuilt):
    logs = "".join(path.read_text() for path in rebuilt.cli.home.rglob("*.log"))
    assert "grandmother" not in logs.lower()


def test_rebuild_without_changes_does_nothing(rebuilt):
    before = query(rebuilt.cli.home, SCORED), query(rebuilt.cli.home, "SELECT version FROM profiles")
    result = rebuilt.cli("rebuild", "--json")
    outcome = json.loads(result.stdout)
    assert result.returncode == 0
    assert (outcome["unchanged"], outcome["tokens_scored"], sum(outcome["seconds"].values())) == (True, 0, 0)
    assert outcome["gain_nats_per_token"] == rebuilt.outcome["gain_nats_per_token"]
    assert (query(rebuilt.cli.home, SCORED), query(rebuilt.cli.home, "SELECT version FROM profiles")) == before


def test_export_is_a_control_vector_by_llama_cpps_rules(rebuilt, tmp_path):
    path = tmp_path / "mine.gguf"
    assert rebuilt.cli("profile", "export", path).returncode == 0
    reader = GGUFReader(path)
    assert reader.get_field("general.architecture").contents() == "controlvector"
    assert {tensor.name for tensor in reader.tensors} == {f"direction.{block}" for block in rebuilt.outcome["layers"]}
    for tensor in reader.tensors:
        assert (tensor.name != "direction.0", tensor.tensor_type.name, list(tensor.shape)) == (True, "F32", [576])
    assert {"assistant.method", "assistant.dose", "assistant.model_fingerprint"} <= reader.fields.keys()


def test_greedy_chat_is_steered_and_strength_zero_is_exactly_no_steer(rebuilt):
    def reply(*options: str) -> bytes:
        asked = ("chat", "How do I sharpen a knife?", "--temperature", "0", "--seed", "1", "--max-tokens", "20")
        result = rebuilt.cli(*asked, *options)
        assert result.returncode == 0, result.stderr.decode()
        return result.stdout

    unsteered = reply("--no-steer")
    assert reply("--strength", "0") == unsteered
    assert reply() != unsteered


async def test_new_text_alone_is_scored_the_excluded_one_not_and_cancel_changes_nothing_else(rebuilt):
    home = rebuilt.cli.home
    before, state = query(home, SCORED), query(home, "SELECT * FROM steering")
    assistant = Assistant.open(home)
    try:
        for asked_before in assistant.chat.conversations():  # own messages are scored too
            assistant.chat.delete(asked_before.id)
        excluded = assistant.preferences.add_text("A text that nobody shall ever learn from.")
        assistant.preferences.exclude(f"writing:{excluded.id}")
        added = assistant.preferences.add_text("Aye, paint it green, my grandmother says.", "Which colour?")
        effects = []
        with pytest.raises(RebuildCancelled, match="what was scored is kept"):
            async for event in assistant.rebuild.run():
                assert isinstance(event, Progress)
                effects.append(event) if event.stage == "effects" else None
                if event.stage == "replies":
                    assistant.rebuild.cancel()
        assert effects[-1].done == effects[-1].total == len(TEXTS) + 1
        assert not assistant.rebuild.running
    finally:
        await assistant.close()
    new = [row for row in query(home, SCORED) if row not in before]
    assert [row[0] for row in new] == [f"writing:{added.id}"]
    assert query(home, "SELECT version FROM profiles") == [(1,)]
    assert query(home, "SELECT * FROM steering") == state
