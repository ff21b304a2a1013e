"""`python -m tests.benchmarks.history`: search, list and open in a long history, and how large its file is.

Makes a history of 100,000 messages in 5,000 conversations in a temporary folder, one of 2,000 messages among them.
Words are drawn by Zipf's law from a vocabulary of 30,000, each conversation about a few words of its own. Searches are
made as they are typed (every prefix of one to three words of a message), with the most frequent words, with every
single letter, in quotes, and with filters.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sqlite3
import statistics
import string
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np

from storage.records import SearchFilter
from storage.store import Store
from storage.values import to_timestamp

MESSAGES, CONVERSATIONS, LONGEST = 100_000, 5_000, 2_000
VOCABULARY = 30_000
OWN_WORDS, REPLY_WORDS = 18, 70
"""Medians of the words in a message of the person's and in a reply; both log-normal."""

START = datetime(2023, 1, 1, tzinfo=UTC)
MOST_FREQUENT = """
the of and to a in is it you that was for on are with as i his they be at one have this from or had by not but what all
were we when your can said there use an each which she do how their if will up other about out many then them these so
some her would make like him into time has look two more write go see number no way could people my than first been call
who its now find long down day did get come made may part
"""
COMMON = MOST_FREQUENT.split()
ONSETS = "b bl br c ch cl cr d dr f fl fr g gl gr h j k l m n p ph pl pr qu r s sc sh sl sp st str t th tr v w wh"
VOWELS = "a e i o u ai ea ee io ou"
CODAS = ("", "", "n", "r", "s", "t", "l", "nd", "ck", "rm", "st", "ng")
MODELS = ("SmolLM2-135M-Instruct.Q4_1.gguf", "Qwen2.5-1.5B-Instruct-Q4_K_M.gguf", "gemma-3-4b-it-Q4_K_M.gguf")


def vocabulary(chance: random.Random) -> list[str]:
    """Pronounceable words, the frequent ones short; the most frequent are those of English."""
    onsets, vowels = ONSETS.split(), VOWELS.split()
    words = dict.fromkeys(COMMON)
    while len(words) < VOCABULARY:
        syllables = 1 + min(3, int(len(words) ** 0.5 / 30 + chance.random() * 2))
        parts = (chance.choice(onsets) + chance.choice(vowels) + chance.choice(CODAS) for _ in range(syllables))
        words["".join(parts)] = None
    return list(words)


class Writer:
    """Texts of words drawn by Zipf's law; a conversation repeats the words that it is about."""

    def __init__(self, seed: int) -> None:
        self.words = np.array(vocabulary(random.Random(seed)))
        self._chance = np.random.default_rng(seed)
        weights = 1 / (np.arange(VOCABULARY) + 2.7)
        self._cumulative = np.cumsum(weights / weights.sum())

    def draw(self, count: int) -> list[str]:
        """Words of the language."""
        return list(self.words[np.searchsorted(self._cumulative, self._chance.random(count))])

    def topic(self) -> list[str]:
        """A few words of middling frequency."""
        return list(self.words[self._chance.integers(200, VOCABULARY, 12)])

    def text(self, median: int, topic: list[str]) -> str:
        """A text: sentences and paragraphs, a tenth of it about the topic."""
        words = self.draw(max(1, round(median * float(self._chance.lognormal(0, 0.8)))))
        for place in np.flatnonzero(self._chance.random(len(words)) < 0.1):
            words[place] = topic[int(self._chance.integers(len(topic)))]
        ends = self._chance.choice([" ", " ", " ", " ", " ", " ", " ", " ", ", ", ". ", ".\n\n"], len(words))
        return "".join(f"{word}{end}" for word, end in zip(words, ends, strict=True)).strip().capitalize()


def lengths(chance: random.Random) -> list[int]:
    """Messages of each conversation, in pairs: one of LONGEST, the others around the mean."""
    left = (MESSAGES - LONGEST) // 2
    cuts = sorted(chance.sample(range(1, left), CONVERSATIONS - 2))
    pairs = [high - low for low, high in zip([0, *cuts], [*cuts, left], strict=True)]
    return [LONGEST, *(2 * count for count in pairs)]


def fill(store: Store, seed: int) -> int:
    """Write the history by raw statements (a Store waits for the disk at each message); returns its bytes of text."""
    writer, chance = Writer(seed), random.Random(seed)
    text_bytes, number = 0, 0
    with store._db.transaction():
        for talk, length in enumerate(lengths(chance), start=1):
            topic, when = writer.topic(), START + timedelta(minutes=240 * talk)
            title = " ".join(writer.draw(3) + topic[:2]).capitalize()
            moment = to_timestamp(when)
            store._db.write(
                "INSERT INTO conversations (title, created_at, updated_at) VALUES (?, ?, ?)", (title, moment, moment)
            )
            text_bytes += len(title.encode())
            rows = []
            for place in range(length):
                number += 1
                own = place % 2 == 0
                text = writer.text(OWN_WORDS if own else REPLY_WORDS, topic)
                text_bytes += len(text.encode())
                said = to_timestamp(when + timedelta(seconds=30 * place))
                told: tuple[str | None, ...] = ("user", text, "complete", "typed", said, None, None)
                if not own:
                    stats = {"reply_tokens": 90, "prompt_tokens": 40, "seconds": 2.5, "reason": "end"}
                    told = ("assistant", text, "complete", "generated", said, chance.choice(MODELS), json.dumps(stats))
                rows.append((talk, number - 1 if place else None, *told))
            store._db.write_many(
                "INSERT INTO messages "
                "(conversation_id, parent_id, role, text, state, origin, created_at, model, stats) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            store._db.write("UPDATE conversations SET active_leaf_id = ? WHERE id = ?", (number, talk))
        store._db.write("INSERT INTO ratings SELECT id, iif(id % 4, 1, -1) FROM messages WHERE id % 50 IN (0, 2)")
    return text_bytes


def searches(store: Store, seed: int, rounds: int) -> Iterator[tuple[str, str, SearchFilter]]:
    """(kind, query, filter) of each search."""
    chance, plain = random.Random(seed), SearchFilter()
    for _ in range(rounds):
        words = store.messages.get(chance.randrange(1, MESSAGES)).text.split()
        start = chance.randrange(max(1, len(words) - 2))
        typed = " ".join(words[start : start + 3])
        for end in range(1, len(typed) + 1):
            yield "typed", typed[:end], plain
        yield "phrase", f'"{typed}"', plain
    for word in COMMON[: 2 * rounds]:
        yield "common", f"{word} ", plain
        yield "common", f"{word} {chance.choice(COMMON)} ", plain
    for letter in string.ascii_lowercase:
        yield "letter", letter, plain
    narrowed = (
        SearchFilter(role="user"),
        SearchFilter(role="assistant"),
        SearchFilter(rated="down"),
        SearchFilter(rated="any"),
        SearchFilter(model=MODELS[1]),
        SearchFilter(after=START + timedelta(days=700), before=START + timedelta(days=707)),
        SearchFilter(before=START + timedelta(days=30)),
    )
    for filtered in narrowed:
        for query in ("the", "t", "people", "str", "the of"):
            yield "filtered", query, filtered


def milliseconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


def p95(values: list[float]) -> float:
    """The value that one in twenty exceeds."""
    return statistics.quantiles(values, n=20)[-1]


def measure(seed: int, rounds: int) -> dict[str, float | str]:
    """All figures of one history."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data" / "history.db"
        with Store(path) as store:
            text_bytes = fill(store, seed)
        with Store(path) as store:
            lists = [milliseconds(store.conversations.list) for _ in range(7)]
            leaf = store.conversations.get(1).active_leaf_id or 0
            opens = [milliseconds(partial(store.messages.branch, leaf)) for _ in range(7)]
            by_kind: dict[str, list[float]] = {}
            slowest = (0.0, "")
            for kind, query, filtered in searches(store, seed, rounds):
                taken = milliseconds(partial(store.search.search, query, filtered))
                by_kind.setdefault(kind, []).append(taken)
                slowest = max(slowest, (taken, f"{kind}: {query!r} {filtered}"))
        with closing(sqlite3.connect(path)) as raw:
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = path.stat().st_size
    every = [taken for values in by_kind.values() for taken in values]
    return {
        "search_p95_ms": round(p95(every), 1),
        "list_ms": round(statistics.median(lists), 1),
        "open_ms": round(statistics.median(opens), 1),
        "bytes_per_text_byte": round(size / text_bytes, 2),
        **{f"search_{kind}_p95_ms": round(p95(values), 1) for kind, values in by_kind.items()},
        "search_median_ms": round(statistics.median(every), 1),
        "search_slowest_ms": round(slowest[0], 1),
        "search_slowest": slowest[1],
        "searches": len(every),
        "text_mb": round(text_bytes / 1e6, 1),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, SQLite {sqlite3.sqlite_version}",
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=25, help="messages that are searched for as they are typed")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.seed, arguments.rounds)
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:26} {value}")


if __name__ == "__main__":
    main()
