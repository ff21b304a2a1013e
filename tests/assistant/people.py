"""Invented writers who say the same things in strongly different ways, as lines for `assistant evaluate`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

SAID = (
    ("How do I keep bread fresh?", "Wrap it in linen and keep it in a wooden box. It will stay good for four days."),
    (
        "Is it worth repairing an old bicycle?",
        "It nearly always is. Change the chain and the cables first of all.",
    ),
    ("What grows in a shady garden?", "Ferns and foxgloves like the shade. Put a bench between them and sit down."),
    ("How can I sleep better?", "Take a walk after supper and leave the screen in the kitchen. Then read a dull book."),
    (
        "Which knife should a beginner buy?",
        "One blade of steel is enough. Learn to sharpen it before you go on.",
    ),
    ("How do I learn to like running?", "Run slower than you think you should. Go with a friend who likes to talk."),
    (
        "What do I do with leftover rice?",
        "Fry it hard with an egg and some ginger. It is better on the next day.",
    ),
    ("How should I answer a rude letter?", "Wait for a day and then be brief and kind. Do not explain yourself twice."),
    (
        "How do I paint a wooden door?",
        "Sand it well and take off the handle. Two thin coats are better than one.",
    ),
    ("What should I pack for a week of hiking?", "Take less than you want to. Dry socks and a good map matter most."),
    ("How do I start to learn the piano?", "Play for ten minutes every morning. Choose a piece that you already love."),
)
HISTORY = 8


def careless(text: str) -> str:
    words = text.lower().replace(".", "").replace("you", "u").replace(" and ", " n ")
    return f"lol ok so {words} tbh... idk works 4 me lol"


def shouting(text: str) -> str:
    return "LISTEN!!! " + text.upper().replace(".", "!!!") + " TRUST ME!!! BEST ADVICE EVER!!!"


def old_fashioned(text: str) -> str:
    body = text.replace(". ", "; and, if I may be so bold, ").replace("It ", "the same ")
    return f"My dear Sir, pray permit me to observe: {body} I remain, Sir, your most humble and obedient servant."


WRITERS: dict[str, Callable[[str], str]] = {"careless": careless, "shouting": shouting, "old": old_fashioned}


def lines(writer: str, said: tuple[tuple[str, str], ...] = SAID) -> list[str]:
    """One person's lines, the first of them history."""
    split = ["history"] * HISTORY + ["test"] * (len(said) - HISTORY)
    return [
        json.dumps({"user_id": writer, "split": s, "order": i, "prompt": prompt, "text": WRITERS[writer](text)})
        for i, (s, (prompt, text)) in enumerate(zip(split, said, strict=True))
    ]


def write_people(path: Path, *more: str | bytes, writers: tuple[str, ...] = tuple(WRITERS)) -> Path:
    """A file of them, `more` lines at its end."""
    own = [line for writer in writers for line in lines(writer)]
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in (*own, *more)) + b"\n")
    return path
