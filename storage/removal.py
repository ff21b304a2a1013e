"""Taking rows out of the history with all that came from them; inside a transaction that `erase` follows."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable

from storage import tree
from storage.database import Database
from storage.erasure import forget_items, mark_pending
from storage.records import message_item_id, writing_item_id

AMONG = "IN (SELECT value FROM json_each(?))"
"""SQL: is one of the numbers of `id_list`."""


def id_list(ids: Iterable[int]) -> str:
    """Numbers as the parameter of AMONG."""
    return json.dumps(sorted(ids))


def trees_of(db: Database, message_ids: Collection[int]) -> dict[int, dict[int, int | None]]:
    """The conversations that these messages are in, each as parents by message."""
    rows = db.rows(
        "SELECT conversation_id, id, parent_id FROM messages WHERE conversation_id IN "
        f"(SELECT conversation_id FROM messages WHERE id {AMONG})",
        (id_list(message_ids),),
    )
    trees: defaultdict[int, dict[int, int | None]] = defaultdict(dict)
    for row in rows:
        trees[row["conversation_id"]][row["id"]] = row["parent_id"]
    return dict(trees)


def remove_conversations(db: Database, conversation_ids: Collection[int]) -> None:
    """Remove conversations with their messages, titles and tags."""
    ids = (id_list(conversation_ids),)
    messages = [row["id"] for row in db.rows(f"SELECT id FROM messages WHERE conversation_id {AMONG}", ids)]
    db.write(f"UPDATE conversations SET active_leaf_id = NULL WHERE id {AMONG}", ids)
    _delete_messages(db, messages)
    db.write(f"DELETE FROM conversations WHERE id {AMONG}", ids)


def remove_messages(db: Database, message_ids: Collection[int]) -> None:
    """Remove messages; what hung on them hangs on what is left above them, or begins the conversation.

    A conversation that shows a removed message shows the branch last used of those that are left; one of which
    nothing is left goes; one whose automatic title tells of a removed message loses it.
    """
    gone = frozenset(message_ids)
    emptied: list[int] = []
    for conversation_id, parents in trees_of(db, gone).items():
        left = tree.without(parents, gone)
        if not left:
            emptied.append(conversation_id)
            continue
        _clear_title_from(db, conversation_id, [number for number in parents if number in gone])
        _move_leaf(db, conversation_id, parents, left)
        moved = [(parent, number) for number, parent in left.items() if parent != parents[number]]
        db.write_many("UPDATE messages SET parent_id = ? WHERE id = ?", moved)
    remove_conversations(db, emptied)
    _delete_messages(db, gone)


def remove_writings(db: Database, writing_ids: Collection[int]) -> None:
    """Remove writings."""
    forget_items(db, [writing_item_id(number) for number in writing_ids])
    db.write(f"DELETE FROM writings WHERE id {AMONG}", (id_list(writing_ids),))


def remove_profiles(db: Database, versions: Collection[int]) -> None:
    """Remove profile versions; if one of them was in use, steering is off."""
    ids = (id_list(versions),)
    db.write(f"UPDATE steering SET version = NULL, enabled = 0 WHERE version {AMONG}", ids)
    db.write(f"DELETE FROM profiles WHERE version {AMONG}", ids)
    mark_pending(db)


def _delete_messages(db: Database, message_ids: Collection[int]) -> None:
    forget_items(db, [message_item_id(number) for number in message_ids])
    ids = (id_list(message_ids),)
    db.write(f"UPDATE messages SET edited_from = NULL WHERE edited_from {AMONG}", ids)
    db.write(f"DELETE FROM messages WHERE id {AMONG}", ids)


def _move_leaf(db: Database, conversation_id: int, parents: tree.Parents, left: tree.Parents) -> None:
    [row] = db.rows("SELECT active_leaf_id FROM conversations WHERE id = ?", (conversation_id,))
    leaf = row["active_leaf_id"]
    if leaf is None or leaf in left:
        return
    above = tree.remaining_above(parents, leaf, parents.keys() - left.keys())
    moved = tree.newest_leaf(left, above)
    db.write("UPDATE conversations SET active_leaf_id = ? WHERE id = ?", (moved, conversation_id))


def _clear_title_from(db: Database, conversation_id: int, message_ids: Collection[int]) -> None:
    """An automatic title is of the first exchange; one of the person's own may still be the start of a message."""
    db.write(
        "UPDATE conversations SET title = '', title_given = 0 WHERE id = ?1 AND title <> '' AND EXISTS ("
        f"SELECT 1 FROM messages m WHERE m.id {AMONG.replace('?', '?2')} AND ("
        "(NOT title_given AND (m.parent_id IS NULL OR m.parent_id IN "
        "(SELECT id FROM messages WHERE conversation_id = ?1 AND parent_id IS NULL))) "
        "OR substr(ltrim(m.text), 1, length(rtrim(title, '…'))) = rtrim(title, '…')))",
        (conversation_id, id_list(message_ids)),
    )
