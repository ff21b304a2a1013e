"""The command line: `assistant` alone opens the screens, `assistant COMMAND` does one thing.

Exit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assistant.commands.chat import chat
from assistant.commands.compare import compare
from assistant.commands.context import Globals
from assistant.commands.evaluate import evaluate
from assistant.commands.forget import forget
from assistant.commands.history import history
from assistant.commands.machine import doctor, paths
from assistant.commands.models import cache, models
from assistant.commands.parameters import Folder
from assistant.commands.profile import profile
from assistant.commands.rebuild import rebuild
from assistant.commands.search import search
from assistant.commands.transfer import backup, export, import_files, restore
from assistant.commands.vectors import vectors
from assistant.errors import AssistantError
from assistant.no_network import forbid_network
from assistant.paths import resolve_paths
from assistant.streams import drop_output, prepare_streams, raised_by_output
from assistant.visible import sanitise

if TYPE_CHECKING:
    from assistant.app import Assistant

FAILED, INTERRUPTED = 1, 130
DISTRIBUTION = "private-assistant"


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home",
    type=Folder(path_type=Path, file_okay=False),
    envvar="ASSISTANT_HOME",
    help="Keep settings, data and cache under this folder.",
)
@click.option("--model", help="GGUF file, or the name of one in the models folder.")
@click.option("--version", "show_version", is_flag=True, help="Print the version.")
@click.pass_context
def assistant(context: click.Context, home: Path | None, model: str | None, show_version: bool) -> None:
    """A private assistant that learns what you like, shows why, and steers a local model with it.

    Without a command it opens the chat.
    """
    context.obj = Globals(home, model)
    if show_version:
        click.echo(_version())
    elif context.invoked_subcommand is None:
        context.exit(_open_screens(context.obj))


HISTORY = (import_files, export, backup, restore, history, search, forget)
for command in (chat, compare, *HISTORY, rebuild, evaluate, profile, vectors, models, cache, doctor, paths):
    assistant.add_command(command)


def main() -> None:
    """Entry point: run a command and end the process with its exit code."""
    prepare_streams()
    forbid_network()  # downloads have a process of their own
    os.umask(0o077)  # libraries write files too
    sys.exit(_exit_code())


def _exit_code() -> int:
    try:
        code = assistant.main(standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.Abort:
        return INTERRUPTED
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except AssistantError as error:
        click.echo(f"error: {sanitise(str(error))}", err=True)
        return FAILED
    except OSError as error:  # not of a reader who has enough and leaves: click ends for that by itself
        if not raised_by_output(error):
            raise
        drop_output()
        click.echo(f"error: the output cannot be written ({error.strerror or error})", err=True)
        return FAILED


def _open_screens(chosen: Globals) -> int:
    from tui.app import run

    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):  # Textual draws on stderr
        raise click.UsageError("the chat needs a terminal; `assistant chat PROMPT` works in a pipe")
    return run(partial(_open_home, chosen), resolve_paths(chosen.home).settings)


def _open_home(chosen: Globals) -> Assistant:
    from assistant.app import Assistant

    return Assistant.open(chosen.home, chosen.model)


def _version() -> str:
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown (not installed)"


if __name__ == "__main__":
    main()
