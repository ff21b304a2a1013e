"""From the file as it is found to today's tables: refuse what is not ours, back up, migrate."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database as SqliteDatabase
from sqlite_utils.migrations import Migrations

from storage.errors import DatabaseNewerError, DatabaseUnreadableError
from storage.migrations import APPLICATION_ID
from storage.private_files import create_private_file, translated_os_errors
from storage.values import display_path

_BACKUP_INFIX = ".before-"


def refuse_foreign(db: SqliteDatabase, path: Path, migrations: Migrations) -> None:
    """Read the file without changing it.

    Raises:
        DatabaseUnreadableError: it is a database of some other program.
        DatabaseNewerError: it holds migrations that this version does not know.
    """
    with db.atomic():  # one snapshot: another process may be creating the tables right now
        [(tables,)] = db.execute("SELECT count(*) FROM sqlite_master").fetchall()
        [(application_id,)] = db.execute("PRAGMA application_id").fetchall()
        unknown = _applied(db, migrations) - _known(migrations)
    if application_id != APPLICATION_ID and (tables or application_id):
        raise DatabaseUnreadableError(
            f"{display_path(path)}: is a database of another program; move it away or use another folder"
        )
    if unknown:
        raise DatabaseNewerError(
            f"{display_path(path)}: was written by a newer version ({max(unknown)}); "
            "update the assistant, or use another folder; the file is unchanged"
        )


def upgrade(db: SqliteDatabase, path: Path, migrations: Migrations) -> None:
    """Apply the pending migrations in one transaction with their records; back an existing file up first."""
    if not migrations.pending(db):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        pending = migrations.pending(db)  # another process may have been faster
        if pending and _applied(db, migrations):
            back_up(path, pending[0].name)
        migrations.apply(db)
        db.commit()
    finally:
        db.rollback()


def back_up(path: Path, before: str) -> Path:
    """Copy the database as it was before the migration `before`; an older copy of that name is replaced."""
    copy = path.with_name(f"{path.name}{_BACKUP_INFIX}{before}")
    partial = copy.with_name(f"{copy.name}.partial")
    with translated_os_errors(copy):
        partial.unlink(missing_ok=True)
        create_private_file(partial)
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(partial)) as target:
            source.backup(target)
        partial.replace(copy)
    return copy


def backups(path: Path) -> list[Path]:
    """The copies that migrations of the database at `path` have left, whole or not."""
    prefix = f"{path.name}{_BACKUP_INFIX}"
    return sorted(file for file in path.parent.iterdir() if file.name.startswith(prefix))


def _applied(db: SqliteDatabase, migrations: Migrations) -> set[str]:
    return {migration.name for migration in migrations.applied(db)}


def _known(migrations: Migrations) -> set[str]:
    """All names of the set: what an empty database would still need."""
    with closing(sqlite3.connect(":memory:")) as empty:
        pending = migrations.pending(SqliteDatabase(empty, execute_plugins=False))
        return {migration.name for migration in pending}
