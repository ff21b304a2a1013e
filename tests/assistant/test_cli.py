"""The command line as a process: exit codes, pipes, JSON, signals, places."""

from __future__ import annotations

import ctypes
import json
import math
import os
import signal
import stat
import subprocess
from pathlib import Path

import click
import pytest

from assistant.app import Assistant
from assistant.cli import assistant as root_command
from steering.items import PreferenceItem, Source
from storage.records import EffectKey, EffectRecord
from storage.store import Store
from tests.assistant.conftest import (
    COMMAND,
    CommandLine,
    children,
    command_environment,
    one_line,
    prepare_home,
    query,
    wait_gone,
)
from tests.assistant.made import add_profile, vector_bytes

MESSAGES = "SELECT role, text, state FROM messages ORDER BY id"
ENDLESS = ("chat", "hello you", "--max-tokens", "100000")
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1


def commands(command: click.Command = root_command, path: tuple[str, ...] = ()):
    yield path, command
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from commands(below, (*path, name))


def obey_permissions() -> None:
    """Before exec, as root: file permissions count for the new program as they do for everybody else."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


@pytest.fixture
async def with_profile(home, tmp_path):
    """The home has one profile version in use."""
    opened = Assistant.open(home)
    opened.preferences.add_text("aye, a text of mine", "How?")
    opened.profiles.use(add_profile(opened, vector_bytes(tmp_path)).version)
    await opened.close()


def run_plain(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Without --home."""
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, env=command_environment(**environment), check=False
    )


@pytest.mark.parametrize("path", [pytest.param(path, id=" ".join(path) or "assistant") for path, _ in commands()])
def test_every_command_has_help(path):
    command = dict(commands())[path]
    assert command.help, "says what it does"
    undescribed = [p.name for p in command.params if isinstance(p, click.Option) and not p.help]
    assert undescribed == []
    shown = click.Context(command, info_name="assistant").get_help()
    assert "Usage:" in shown


def test_help_works_as_a_process_and_names_all_commands():
    result = run_plain("--help")
    assert result.returncode == 0
    for name in ("chat", "import", "history", "rebuild", "profile", "models", "doctor", "paths"):
        assert f"\n  {name} " in result.stdout.decode()
    assert run_plain("--version").returncode == 0
    for path in (("chat",), ("profile", "export")):
        assert run_plain(*path, "--help").returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("chat", "--nonsense"),
        ("chat", "hi", "--strength", "3"),
        ("chat", "hi", "--no-steer", "--strength", "1"),
        ("chat", "hi", "--strength", "nan"),
        ("chat", "hi", "--temperature", "-1"),
        ("chat", "hi", "--temperature", "nan"),
        ("chat", "hi", "--temperature", "inf"),
        ("chat", "hi", "--max-tokens", "0"),
        ("chat", "hi", "--seed", "-1"),
        ("chat",),
        ("chat", "   "),
        ("import",),
        ("history", "show"),
        ("history", "show", "x"),
        ("profile", "strength", "2.5"),
        ("profile", "strength", "much"),
        ("profile", "strength", "nan"),
        ("models", "use", ""),
        ("models", "remove", " "),
        ("models", "add", "x.gguf", "--link", "--move"),
        ("--home", "", "paths"),
        ("profile", "use"),
        ("profile", "export"),
        (),
    ],
)
def test_wrong_use_is_2(cli, arguments):
    result = cli(*arguments)
    assert (result.returncode, result.stdout) == (2, b"")
    assert b"Usage" in result.stderr
    assert b"Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("history", "show", "7"), "conversation 7: not in the history"),
        (("history", "show", "9" * 30), "no such number in the history"),
        (("profile", "show"), "no profile is in use"),
        (("profile", "use", "7"), "no profile version 7"),
        (("profile", "use", "9" * 30), "no profile version 999"),
        (("profile", "strength", "1"), "no profile is in use"),
        (("profile", "explain", "writing:7"), "no item 'writing:7'"),
        (("profile", "export", "v.gguf"), "no profile is in use"),
        (("--model", "none.gguf", "chat", "hi"), "none.gguf"),
    ],
)
def test_failure_is_1_and_one_line(cli, arguments, words):
    result = cli(*arguments)
    assert (result.returncode, result.stdout) == (1, b"")
    assert words in one_line(result)


def test_chat_streams_to_stdout_and_is_kept(cli, tiny):
    result = cli("chat", "hello you", "--seed", "3")
    assert (result.returncode, result.stderr) == (0, b"")
    (said, reply) = query(cli.home, MESSAGES)
    assert said == ("user", "hello you", "complete")
    assert (reply[0], reply[2]) == ("assistant", "complete")
    assert result.stdout.decode() == reply[1] + "\n"
    shown = cli("history", "show", "1", "--json")
    assert [message["text"] for message in json.loads(shown.stdout)] == ["hello you", reply[1]]
    assert b"hello you" in cli("history", "list").stdout


def test_chat_reads_a_pipe_and_puts_it_after_the_prompt(cli):
    assert cli("chat", stdin="from the pipe\n").returncode == 0
    assert cli("chat", "explain:", stdin="\ufefffrom the pipe\n").returncode == 0
    said = [text for role, text, _ in query(cli.home, MESSAGES) if role == "user"]
    assert said == ["from the pipe", "explain:\n\nfrom the pipe"]
    refused = cli("chat", stdin=b"caf\xe9")
    assert refused.returncode == 1
    assert "standard input is not UTF-8" in one_line(refused)
    assert len(query(cli.home, MESSAGES)) == 4


def test_chat_json_is_one_object(cli, tiny):
    result = cli("chat", "hello you", "--json", "--max-tokens", "5", "--model", tiny)
    found = json.loads(result.stdout)
    assert found["stats"]["reply_tokens"] == 5
    assert found["message"]["text"] == query(cli.home, MESSAGES)[1][1]
    assert found["conversation"] == 1


def test_json_of_every_command_is_json(cli, with_profile):
    cli("chat", "hello you")
    for arguments in (
        ("history", "list"),
        ("history", "show", "1"),
        ("profile", "show"),
        ("profile", "list"),
        ("profile", "explain"),
        ("profile", "explain", "writing:1"),
        ("models", "list"),
        ("doctor",),
        ("paths",),
    ):
        result = cli(*arguments, "--json")
        assert result.returncode == 0, (arguments, result.stderr)
        assert json.loads(result.stdout)


def test_without_a_profile_the_items_are_listed_all_the_same(cli):
    nothing = cli("profile", "explain")
    assert (nothing.returncode, nothing.stdout) == (0, b"")
    assert b"Nothing to learn from yet" in nothing.stderr
    cli("chat", "hello you")
    listed = cli("profile", "explain")
    assert listed.returncode == 0
    assert "message:1" in listed.stdout.decode()
    assert "no profile is in use" in listed.stderr.decode().lower()
    found = json.loads(cli("profile", "explain", "--json").stdout)
    assert (found["phrases"], [item["item"]["id"] for item in found["items"]]) == ([], ["message:1"])
    assert "no profile" in one_line(cli("profile", "explain", "message:1"))


async def test_archived_conversations_are_listed_apart(cli):
    assert b"No archived conversations." in cli("history", "list", "--archived").stderr
    cli("chat", "hello you")
    cli("chat", "well met")
    opened = Assistant.open(cli.home)
    opened.history.set_archived(1, True)
    await opened.close()
    listed = [json.loads(cli("history", "list", *which, "--json").stdout) for which in ((), ("--archived",))]
    assert [[conversation["id"] for conversation in some] for some in listed] == [[2], [1]]
    assert b"hello you" in cli("history", "list", "--archived").stdout


def test_an_empty_schema_is_refused(cli, tmp_path):
    (tmp_path / "empty.json").write_text("\n")
    assert "empty.json: is empty" in one_line(cli("chat", "hi", "--schema", tmp_path / "empty.json"))


def test_an_item_is_explained_by_either_measure(cli, with_profile):
    with Store(cli.home / "data" / "history.db") as store:
        writing, _ = store.writing.add("", "aye, that is it", "typed")
        item_id = f"writing:{writing.id}"
        item = PreferenceItem(item_id, "", "aye, that is it", Source.WRITING, 0)
        key = EffectKey(item.scored_hash, "context", "estimator", "method")
        logps = (math.log(0.02), math.log(0.9)), (math.log(0.002), math.log(0.7))
        store.effects.put_many([EffectRecord(key, item_id, (0, 4), (3, 9), *logps, ("writing:1",))])
    by_ratio, by_difference = (cli("profile", "explain", item_id, "--by", by) for by in ("ratio", "difference"))
    assert by_ratio.stdout.decode().splitlines()[0] == "[[aye]], that is it"
    assert by_difference.stdout.decode().splitlines()[0] == "aye,[[ that]] is it"
    assert "at least 0.5 nats likelier" in by_ratio.stderr.decode()
    assert "at least 0.05 more probable" in by_difference.stderr.decode()
    assert "Compared with writing:1." in by_ratio.stderr.decode()
    assert "The last 6 characters are not scored" in by_ratio.stderr.decode()
    assert cli("profile", "explain", item_id, "--by", "guess").returncode == 2


def test_profile_commands(cli, with_profile, tmp_path):
    assert b"steering       on, strength 1" in cli("profile", "show").stdout
    assert cli("profile", "off").returncode == 0
    assert b"off (switched off)" in cli("profile", "show").stdout
    strong = cli("profile", "strength", "1.5")
    assert (strong.returncode, strong.stdout) == (0, b"Strength is 1.5.\n")
    assert b"Above 1.25" in strong.stderr
    assert b"in use" in cli("profile", "use", "1").stdout
    assert b"aye" in cli("profile", "explain").stdout
    assert query(cli.home, "SELECT version, enabled, strength FROM steering") == [(1, 1, 1.0)]
    for path in (tmp_path / "none" / "v.gguf", Path("/proc/v.gguf")):
        refused = cli("profile", "export", path)
        assert refused.returncode == 1
        assert f"{path}: cannot be written" in one_line(refused)
    assert cli("profile", "export", tmp_path).returncode == 2
    written = cli("profile", "export", tmp_path / "odd\udce9.gguf", environment={"PYTHONIOENCODING": "utf-8:strict"})
    assert (written.returncode, written.stderr) == (0, b"")
    assert "name the file to write" in one_line(cli("profile", "export", ""))


def test_interrupted_chat_is_130_and_keeps_what_came(cli):
    with cli.start(*ENDLESS, bufsize=0) as process:  # a buffer would keep what `communicate` must see
        first = process.stdout.read(1)
        assert first
        (engine,) = children(process.pid)
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate()
    assert process.returncode == 130
    assert b"Traceback" not in said
    wait_gone(engine)
    _, (role, text, state) = query(cli.home, MESSAGES)
    assert (role, state) == ("assistant", "stopped")
    assert text.encode().startswith(first + rest)


async def test_killed_chat_leaves_the_message_and_what_came(cli):
    with cli.start(*ENDLESS) as process:
        seen = b""
        while not any(text for role, text, _ in query_or_none(cli.home) if role == "assistant"):
            seen += process.stdout.read(1)
        (engine,) = children(process.pid)
        process.kill()
        seen += process.stdout.read()
    wait_gone(engine)
    said, (role, text, state) = query(cli.home, MESSAGES)
    assert (said, role, state) == (("user", "hello you", "complete"), "assistant", "streaming")
    reopened = Assistant.open(cli.home)
    kept = reopened.chat.messages(1)
    assert [(message.text, message.state.value) for message in kept] == [("hello you", "complete"), (text, "stopped")]
    printed = min(len(seen), len(text.encode()))
    assert seen[:printed] == text.encode()[:printed]
    await reopened.close()


def query_or_none(home: Path) -> list[tuple]:
    return query(home, MESSAGES) if (home / "data" / "history.db").exists() else []


def test_reader_that_leaves_is_no_crash(cli):
    with cli.start(*ENDLESS) as process:
        process.stdout.read(1)
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 1
    assert b"Traceback" not in said
    assert b"Exception" not in said
    assert query(cli.home, MESSAGES)[1][2] == "stopped"


def test_home_option_goes_before_the_environment(cli, tmp_path):
    elsewhere = str(tmp_path / "elsewhere")
    by_environment = json.loads(run_plain("paths", "--json", ASSISTANT_HOME=elsewhere).stdout)
    assert by_environment["history"] == f"{elsewhere}/data/history.db"
    both = json.loads(cli("paths", "--json", environment={"ASSISTANT_HOME": elsewhere}).stdout)
    assert both["settings"] == str(cli.home / "config" / "settings.toml")
    neither = json.loads(run_plain("paths", "--json").stdout)
    assert Path(neither["history"]).is_relative_to(Path.home())
    assert not (tmp_path / "elsewhere").exists(), "asking where things lie makes nothing"


def test_read_only_home_is_one_line_for_every_command(cli, tmp_path):
    (tmp_path / "own.txt").write_text("A good text of mine.")
    home = tmp_path / "locked"
    home.mkdir(mode=0o500)
    locked = CommandLine(home)
    for arguments in (("import", tmp_path / "own.txt"), ("chat", "hi"), ("rebuild",), ("history", "list")):
        result = locked(*arguments, preexec_fn=obey_permissions)
        assert (result.returncode, result.stdout) == (1, b"")
        assert "cannot be made or written" in one_line(result)
    assert list(home.iterdir()) == []
    doctor = locked("doctor", "--json", preexec_fn=obey_permissions)
    assert doctor.returncode == 1
    assert [check["ok"] for check in json.loads(doctor.stdout)] == [False]


def test_history_that_is_none_is_left_alone(cli):
    path = cli.home / "data" / "history.db"
    path.parent.mkdir()
    path.write_text("no database " * 1000)
    result = cli("history", "list")
    assert result.returncode == 1
    assert "history.db: is not a history" in one_line(result)
    assert path.read_text() == "no database " * 1000


def test_broken_settings_are_one_line(cli):
    settings = cli.home / "config" / "settings.toml"
    settings.write_text("[sampling]\ntemperature = 'hot'\n")
    result = cli("chat", "hello")
    assert result.returncode == 1
    assert "sampling.temperature" in one_line(result)


def test_full_disk_is_one_line_and_nothing_changes(cli, tmp_path):
    assert cli("history", "list").returncode == 0
    (tmp_path / "big.txt").write_text("many words " * 200_000)
    result = cli("import", tmp_path / "big.txt", preexec_fn=limit_files)
    assert result.returncode == 1
    assert "history.db" in one_line(result)
    assert query(cli.home, "SELECT * FROM writings") == []


def limit_files() -> None:
    """The nearest thing to a full disk that needs no mount: no file may grow beyond a megabyte."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))


def test_everything_is_private_under_an_open_umask(tmp_path, tiny):
    cli = CommandLine(tmp_path / "new" / "home")
    (tmp_path / "own.txt").write_text("A good text of mine.")
    assert cli("import", tmp_path / "own.txt", umask=0).returncode == 0
    assert cli("--model", tiny, "chat", "hello", "--max-tokens", "3", umask=0).returncode == 0
    found = [cli.home, *cli.home.rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_dir()} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_file()} == {0o600}


def test_models_and_doctor(cli, tiny, tmp_path):
    prepare_home(cli.home, tiny)
    models = cli.home / "data" / "models"
    models.mkdir(parents=True)
    (models / "broken.gguf").write_text("no model")
    (models / "mine.gguf").write_bytes(tiny.read_bytes())
    listed = cli("models", "list").stdout.decode()
    assert "mine.gguf: Tiny" in listed
    assert "not a GGUF file" in listed
    healthy = cli("doctor")
    assert (healthy.returncode, healthy.stdout.count(b"FAIL")) == (0, 0)
    sick = cli("--model", "broken.gguf", "doctor")
    assert sick.returncode == 1
    assert b"FAIL  model" in sick.stdout
    assert "something needs attention" in one_line(sick)
    assert b"mine" in cli("--model", "mine.gguf", "doctor").stdout
