"""What is forgotten for good: chosen, counted before anything goes, and removed with all that came from it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

from storage import tree
from storage.automatic import backups
from storage.database import Database
from storage.descriptions import count_lines, described_words, folded, keep_lines, words_of
from storage.erasure import erase
from storage.errors import NotFoundError
from storage.records import Doomed, Forgotten, message_item_id, writing_item_id
from storage.removal import (
    AMONG,
    id_list,
    remove_conversations,
    remove_messages,
    remove_profiles,
    remove_writings,
    trees_of,
)
from storage.values import to_timestamp

_NAMED = (("vetoed_phrases", "phrase"), ("tags", "tag"))
_ITEM = re.compile(r"(message|writing):([0-9]+)")


class Forgetting:
    """Forgetting in one history: choose with one of the first methods, `forecast`, then `forget`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def conversations(self, conversation_ids: Collection[int]) -> Doomed:
        """These conversations as a whole.

        Raises: NotFoundError: one of them is not there.
        """
        self._require("conversations", conversation_ids)
        return Doomed(conversations=frozenset(conversation_ids))

    def messages(self, message_ids: Collection[int]) -> Doomed:
        """These messages with everything below them: a reply repeats what it answers.

        Raises: NotFoundError: one of them is not there.
        """
        self._require("messages", message_ids)
        return Doomed(messages=frozenset(message_ids))

    def items(self, item_ids: Collection[str]) -> Doomed:
        """Items that were learned from: messages (as above) and writings.

        Raises: NotFoundError: one of them is not there.
        """
        found: dict[str, set[int]] = {"message": set(), "writing": set()}
        for item_id in item_ids:
            parts = _ITEM.fullmatch(item_id)
            if parts is None:
                raise NotFoundError(f"{item_id}: no such item; they are named like message:12 or writing:3")
            found[parts[1]].add(int(parts[2]))
        self._require("messages", found["message"])
        self._require("writings", found["writing"])
        return Doomed(messages=frozenset(found["message"]), writings=frozenset(found["writing"]))

    def before(self, moment: datetime) -> Doomed:
        """All messages and writings from before a moment (aware); what came later stays and begins where it is cut."""
        limit = (to_timestamp(moment),)
        empty = "NOT EXISTS (SELECT 1 FROM messages WHERE conversation_id = conversations.id)"
        return Doomed(
            conversations=self._ids(f"SELECT id FROM conversations WHERE created_at < ? AND {empty}", limit),
            messages=self._ids("SELECT id FROM messages WHERE created_at < ?", limit),
            writings=self._ids("SELECT id FROM writings WHERE created_at < ?", limit),
            keeps_replies=True,
        )

    def containing(self, text: str) -> Doomed:
        """All that contains a text, in whatever case: messages (as above), writings and titles.

        With them go the tags, the phrases under veto and the lines of descriptions that contain it.

        Raises: ValueError: `text` is blank.
        """
        needle = folded(text).strip()
        if not needle:
            raise ValueError("there is no text to look for")

        def holding(table: str, *columns: str) -> frozenset[int]:
            rows = self._db.rows(f"SELECT id, {', '.join(columns)} FROM {table}")
            return frozenset(row["id"] for row in rows if any(needle in folded(row[column]) for column in columns))

        return Doomed(
            messages=holding("messages", "text", "reasoning"),
            writings=holding("writings", "prompt", "text", "origin"),
            titles=holding("conversations", "title"),
            text=needle,
        )

    def forecast(self, doomed: Doomed) -> Forgotten:
        """What `forget` would remove; nothing is changed."""
        messages = self._all_messages(doomed)
        emptied = (number for number, parents in trees_of(self._db, messages).items() if messages >= parents.keys())
        conversations = doomed.conversations.union(emptied)
        items = [*map(message_item_id, messages), *map(writing_item_id, doomed.writings)]
        versions = self._versions(items)
        [state] = self._db.rows("SELECT version FROM steering")
        return Forgotten(
            conversations=len(conversations),
            messages=len(messages),
            writings=len(doomed.writings),
            titles=len(doomed.titles - conversations),
            profiles=versions,
            profile_in_use=state["version"] if state["version"] in versions else None,
            backups=len(backups(self._db.path)),
            copies_in=self._copies(messages, conversations),
            mentions=self._mentions(doomed.text) if doomed.text else 0,
        )

    def forget(self, doomed: Doomed, *, remove_versions: bool = False) -> Forgotten:
        """Remove it with its effects, ratings and search index; overwrite it in the file, its log and its backups.

        Profile versions that learned from it become stale; or they are removed, and if one of them was in use,
        steering is off. Stale ones lose the lines of their descriptions with words of it that stand nowhere else.

        Returns: what went; not `erased` where another process kept the file busy: the bytes are then overwritten
            when it is next opened.

        Raises: StorageError: nothing was removed; or, where the disk is full, the overwriting is due.
        """
        with self._db.transaction():
            found = self.forecast(doomed)
            if found.nothing:
                return replace(found, erased=True)
            messages = self._all_messages(doomed)
            # Those too that were stale before: what they tell may have stood elsewhere until now.
            stale = [row["version"] for row in self._db.rows("SELECT version FROM profiles WHERE stale")]
            telling = {*found.profiles, *stale}
            described = described_words(self._db, telling)
            told = described & self._words(messages, doomed.writings)
            remove_messages(self._db, messages)
            remove_conversations(self._db, doomed.conversations)
            remove_writings(self._db, doomed.writings)
            self._clear_titles(doomed.titles)
            if remove_versions:
                remove_profiles(self._db, found.profiles)
                telling.difference_update(found.profiles)
            if told:
                only_there = told - self._words_left(told)
                keep_lines(self._db, telling, lambda line: only_there.isdisjoint(words_of(line)))
            if doomed.text:
                self._forget_mentions(doomed.text)
        return replace(found, erased=erase(self._db))

    def _require(self, table: str, ids: Iterable[int]) -> None:
        wanted = set(ids)
        missing = wanted - self._ids(f"SELECT id FROM {table} WHERE id {AMONG}", (id_list(wanted),))
        for number in sorted(missing):
            raise NotFoundError(f"{table.removesuffix('s')} {number}: not in the history; it may be gone already")

    def _ids(self, sql: str, parameters: tuple[str, ...]) -> frozenset[int]:
        return frozenset(row["id"] for row in self._db.rows(sql, parameters))

    def _all_messages(self, doomed: Doomed) -> frozenset[int]:
        inside = f"SELECT id FROM messages WHERE conversation_id {AMONG}"
        whole = self._ids(inside, (id_list(doomed.conversations),))
        if doomed.keeps_replies:
            return whole | doomed.messages
        trees = trees_of(self._db, doomed.messages).values()
        below = (tree.with_descendants(p, [one for one in p if one in doomed.messages]) for p in trees)
        return whole.union(*below)

    def _versions(self, item_ids: Collection[str]) -> tuple[int, ...]:
        found = f"SELECT DISTINCT version FROM profile_items WHERE item_id {AMONG} ORDER BY version"
        return tuple(row["version"] for row in self._db.rows(found, (json.dumps(list(item_ids)),)))

    def _copies(self, messages: Collection[int], conversations: Collection[int]) -> tuple[int, ...]:
        """The conversations with the same messages of the same moment: forks, which are not forgotten with them."""
        ids = id_list(messages)
        columns = "SELECT conversation_id, created_at, role, text FROM messages"
        going: defaultdict[tuple[str, str, str], set[int]] = defaultdict(set)
        for row in self._db.rows(f"{columns} WHERE id {AMONG}", (ids,)):
            going[row["created_at"], row["role"], row["text"]].add(row["conversation_id"])
        # Not joined: what was imported without times has one moment, and each would be held against each.
        moments = json.dumps(sorted({moment for moment, _, _ in going}))
        staying = self._db.rows(f"{columns} WHERE created_at {AMONG} AND id NOT {AMONG}", (moments, ids))
        return tuple(
            sorted(
                {
                    row["conversation_id"]
                    for row in staying
                    if going.get((row["created_at"], row["role"], row["text"]), set()) - {row["conversation_id"]}
                }.difference(conversations)
            )
        )

    def _words(self, messages: Collection[int], writings: Collection[int]) -> set[str]:
        """All words of these texts."""
        rows = self._db.rows(f"SELECT text FROM messages WHERE id {AMONG}", (id_list(messages),))
        rows += self._db.rows(
            f"SELECT prompt || ' ' || text AS text FROM writings WHERE id {AMONG}", (id_list(writings),)
        )
        return set().union(*(words_of(row["text"]) for row in rows))

    def _words_left(self, words: Collection[str]) -> set[str]:
        """Which of these words stand in what is left."""
        rows = self._db.rows("SELECT text FROM messages UNION ALL SELECT prompt || ' ' || text FROM writings")
        return set().union(*(words_of(row["text"]).intersection(words) for row in rows))

    def _clear_titles(self, conversations: Collection[int]) -> None:
        clear = f"UPDATE conversations SET title = '', title_given = 0 WHERE id {AMONG}"
        self._db.write(clear, (id_list(conversations),))

    def _mentions(self, needle: str) -> int:
        lines = count_lines(self._db, lambda line: needle in folded(line))
        return lines + sum(len(self._holding(table, column, needle)) for table, column in _NAMED)

    def _forget_mentions(self, needle: str) -> None:
        versions = [row["version"] for row in self._db.rows("SELECT version FROM profiles")]
        keep_lines(self._db, versions, lambda line: needle not in folded(line))
        for table, column in _NAMED:
            held = json.dumps(self._holding(table, column, needle))
            self._db.write(f"DELETE FROM {table} WHERE {column} {AMONG}", (held,))

    def _holding(self, table: str, column: str, needle: str) -> list[str]:
        rows = self._db.rows(f"SELECT DISTINCT {column} AS text FROM {table}")
        return [row["text"] for row in rows if needle in folded(row["text"])]
