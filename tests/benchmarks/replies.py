"""`python -m tests.benchmarks.replies`: a rebuild's replies a dozen at a time in each window against one at a time.

Both sides answer the same neutral requests, with and without a description before them, and take turns; ratios are
medians of pairs.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from pathlib import Path

from assistant.engine.protocol import Sampling
from assistant.rebuild import llama_chat
from assistant.rebuild.llama_chat import LlamaChat
from steering.calibration.replies import REPLY_TOKENS
from steering.neutral import load_neutral_set
from steering.prompts import description_system
from tests.benchmarks.model import add_model_option

DESCRIPTION = (
    "The person writes short sentences, mostly in lower case, without a full stop at the end, and likes to begin with "
    "a question; they rarely use exclamation marks and often write in the first person."
)


def writer_of(model: Path, at_a_time: int) -> LlamaChat:
    """A chat model that writes so many replies at a time in each window, which are open already."""
    llama_chat.WRITER_REPLIES = at_a_time
    chat = LlamaChat(model, Sampling(temperature=0.7), None)
    chat.replies(["hello"], max_tokens=1)
    return chat


def tokens_a_second(chat: LlamaChat, requests: list[str], system: str) -> float:
    """Of the replies' text."""
    started = time.perf_counter()
    replies = chat.replies(requests, system=system, max_tokens=REPLY_TOKENS)
    seconds = time.perf_counter() - started
    return sum(len(chat.tokenize(reply)) for reply in replies) / seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_option(parser)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=24)
    arguments = parser.parse_args()
    together = llama_chat.WRITER_REPLIES
    sides = {1: writer_of(arguments.model, 1), together: writer_of(arguments.model, together)}
    requests = list(load_neutral_set().prompts[: arguments.requests])
    for name, system in (("plain", ""), ("described", description_system(DESCRIPTION))):
        pairs = []
        for turn in range(arguments.rounds):
            order = sorted(sides, reverse=bool(turn % 2))
            speed = {at_a_time: tokens_a_second(sides[at_a_time], requests, system) for at_a_time in order}
            pairs.append((speed[1], speed[together]))
        one, many = (statistics.median(side) for side in zip(*pairs, strict=True))
        print(f"{name}_one_tokens_per_second  {one:.1f}")
        print(f"{name}_many_tokens_per_second {many:.1f}")
        print(f"{name}_speedup                {statistics.median(b / a for a, b in pairs):.2f}")
    print(f"model   {arguments.model.name}, {together} at a time")
    print(f"machine {platform.processor() or platform.machine()}, {os.cpu_count()} CPUs")


if __name__ == "__main__":
    main()
