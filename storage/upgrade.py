"""From the file as it is found to today's tables: refuse what is not ours, back up, migrate."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database as SqliteDatabase
from sqlite_utils.migrations import Migrations

from storage.automatic import back_up_before
from storage.errors import DatabaseNewerError, DatabaseUnreadableError
from storage.migrations import APPLICATION_ID
from storage.values import display_path


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
            back_up_before(path, pending[0].name)
        migrations.apply(db)
        db.commit()
    finally:
        db.rollback()


def _applied(db: SqliteDatabase, migrations: Migrations) -> set[str]:
    return {migration.name for migration in migrations.applied(db)}


def _known(migrations: Migrations) -> set[str]:
    """All names of the set: what an empty database would still need."""
    with closing(sqlite3.connect(":memory:")) as empty:
        pending = migrations.pending(SqliteDatabase(empty, execute_plugins=False))
        return {migration.name for migration in pending}
