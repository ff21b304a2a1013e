"""`assistant import`, `export`, `backup` and `restore`: the history in, out, and put aside."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assistant.commands.context import Globals, confirm, escaped, opened, pass_globals, print_json, run
from assistant.figures import count

if TYPE_CHECKING:
    from assistant.app import Assistant
    from assistant.history.importing import Preview
    from storage.records import ImportCounts

FILE = click.Path(path_type=Path)
LARGE = 10_000
"""Messages and texts from which an import is worth a question."""


@click.command(name="import")
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@click.option("--format", "file_format", metavar="FORMAT", help="What the files are, if that is not to be found out.")
@click.option("--me", multiple=True, metavar="ADDRESS", help="Your address: only mails from it are yours.")
@click.option("--dry-run", is_flag=True, help="Only say what there is.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_globals
def import_files(
    chosen: Globals,
    files: tuple[Path, ...],
    file_format: str | None,
    me: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Import conversations and texts of yours; your own words in them are learned from.

    FILE is an export of ChatGPT or Claude (conversations.json or the archive), the database of llm (logs.db), oterm or
    elia, an export of this assistant, JSON Lines of {"messages": [...]} or {"prompt", "text"}, mails (.eml, .mbox), a
    plain text or Markdown file, a folder of texts and mails, or an archive unpacked into one. FORMAT is one of
    assistant, chatgpt, claude, llm, oterm, elia, jsonl, mail, text.

    A file is read to its end before anything is added. Importing it twice adds nothing, a longer version of it only
    what is new. Interrupted, it leaves whole conversations.
    """
    from assistant.history.importing import formats

    if file_format is not None and file_format not in formats():
        raise click.UsageError(f"unknown format {file_format!r}; one of {', '.join(formats())}")

    async def work() -> None:
        results: list[dict[str, Any]] = []
        async with opened(chosen) as assistant:
            for file in files:
                with _Progress("read") as progress:
                    preview = await assistant.importing.preview(
                        file, file_format=file_format, me=me, progress=progress.tell
                    )
                counts = None if dry_run else await _add(assistant, preview, yes)
                results.append({"preview": preview, "imported": counts})
                if not as_json:
                    _say(preview, counts)
        if as_json:
            print_json(results)

    run(work())


@click.command()
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["json", "markdown", "jsonl"]),
    default="json",
    show_default=True,
    help="json: all there is, to be imported again; markdown, jsonl: the shown branches.",
)
@click.option("--conversation", "conversations", type=int, multiple=True, metavar="ID", help="Only this conversation.")
@click.option("-o", "--output", type=FILE, metavar="FILE", help="Where to; else, or with -, it is printed.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@pass_globals
def export(chosen: Globals, file_format: str, conversations: tuple[int, ...], output: Path | None, force: bool) -> None:
    """Export conversations and texts."""
    from assistant.visible import sanitise

    async def work() -> None:
        async with opened(chosen) as assistant:
            if output is None or str(output) == "-":
                for piece in assistant.exporting.pieces(file_format, conversations):
                    click.echo(_printable(piece, file_format), nl=False)
                return
            assistant.exporting.write(output, file_format, conversations, force=force)
            click.echo(f"{sanitise(str(output))}: written", err=True)

    run(work())


def _printable(piece: str, file_format: str) -> str:
    """A piece of an export as it is, but on a terminal without what it would obey; JSON says the same there."""
    from assistant.visible import sanitise

    if not sys.stdout.isatty():
        return piece
    return sanitise(piece) if file_format == "markdown" else escaped(piece)


@click.command()
@click.argument("file", type=FILE)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@pass_globals
def backup(chosen: Globals, file: Path, force: bool) -> None:
    """Copy the whole history to FILE, and verify the copy."""
    from assistant.visible import sanitise

    async def work() -> None:
        async with opened(chosen) as assistant:
            assistant.exporting.back_up(file, force=force)
            click.echo(f"{sanitise(str(file))}: {file.stat().st_size:,} bytes, verified", err=True)

    run(work())


@click.command()
@click.argument("file", type=FILE, required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_globals
def restore(chosen: Globals, file: Path | None, yes: bool) -> None:
    """Put a backup in the place of the history. Without FILE, list the backups that were made by themselves.

    The present history is kept beside it. What was forgotten since the backup was made is there again afterwards.
    """
    from assistant.history.exporting import automatic_backups, check_backup
    from assistant.history.exporting import restore as put_back
    from assistant.paths import resolve_paths
    from assistant.visible import sanitise

    paths = resolve_paths(chosen.home)
    if file is None:
        found = automatic_backups(paths)
        for copy in found:
            click.echo(f"{copy.made_at:%Y-%m-%d %H:%M}  {copy.size:>12,} bytes  {sanitise(str(copy.path))}")
        if not found:
            click.echo("No automatic backups yet; `assistant backup FILE` makes one.", err=True)
        return
    if not yes:
        check_backup(file)
        confirm(f"Replace the history by {sanitise(str(file))}?")
    kept = put_back(paths, file)
    click.echo(
        f"restored; what was there is kept in {sanitise(str(kept))} until something is forgotten"
        if kept
        else "restored",
        err=True,
    )


async def _add(assistant: Assistant, preview: Preview, yes: bool) -> ImportCounts:
    """Add what a preview found, after a question where one is due."""
    whose = preview.guessed and preview.senders > 1
    if not yes and sys.stdin.isatty() and (preview.skipped or whose or preview.entries > LARGE):
        _say(preview, None, err=True)
        confirm("Import it?")
    elif not yes and whose:
        raise click.UsageError(
            f"{preview.path}: mails of {preview.senders} senders, most of them by {preview.me[0]}; say with --me whose "
            "are yours, or --yes if that is you"
        )
    with _Progress("import", preview.entries) as progress:
        return await assistant.importing.add(preview, progress.tell)


def _say(preview: Preview, counts: ImportCounts | None, *, err: bool = False) -> None:
    """One line on what is there or was imported, one for each kind of thing left out."""
    from assistant.visible import one_line, sanitise

    told = preview if counts is None else counts
    parts = []
    if preview.conversations:
        parts.append(f"{count(told.conversations, 'conversation')}, {count(told.messages, 'message')}")
    if preview.texts or not preview.conversations:
        parts.append(count(told.texts, "text"))
    line = f"{sanitise(str(preview.path))}: {', '.join(parts)}"
    if counts is not None:
        line += f" imported ({counts.known:,} known already)" if counts.known else " imported"
    elif preview.own_messages:
        line += f" ({preview.own_messages:,} of them yours)"
    click.echo(line, err=err)
    if preview.me:
        guess = f", the most frequent of {preview.senders:,} senders" if preview.guessed else ""
        click.echo(f"  yours: mails from {one_line(', '.join(preview.me), 200)}{guess}", err=err)
    for what, number in preview.skipped.items():
        click.echo(f"  left out: {one_line(what, 100)}: {number:,}", err=err)


class _Progress:
    """A line on stderr, at most once a second, after the first second."""

    def __init__(self, doing: str, total: int = 0) -> None:
        self._doing = doing
        self._of = f" of {total:,}" if total else ""
        self._next = time.monotonic() + 1
        self._shown = False

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown and sys.stderr.isatty():
            click.echo("\r\x1b[K", nl=False, err=True)

    def tell(self, done: int) -> None:
        """Say how many messages and texts are done, if it is time to."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + 1
        self._shown = True
        line = f"{self._doing}: {done:,}{self._of} messages and texts"
        click.echo(f"\r{line}" if sys.stderr.isatty() else line, nl=not sys.stderr.isatty(), err=True)
