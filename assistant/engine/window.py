"""Fits a conversation into the window: oldest turns leave whole, system turn and last question stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assistant.engine.protocol import Turn
from assistant.errors import EngineError


@dataclass(frozen=True, slots=True)
class Prompt:
    """Tokens to read before a reply, and how many of the oldest turns they leave out."""

    tokens: list[int]
    dropped_turns: int


def fit(
    turns: Sequence[Turn],
    encode: Callable[[Sequence[Turn]], list[int]],
    count: Callable[[str], int],
    window: int,
    reply_room: int,
) -> Prompt:
    """The longest end of the conversation that fits `window` tokens with `reply_room` left for the reply.

    A cut always falls before a user turn, so that question and reply leave together. It moves in steps of a
    quarter of the window: the next turns then share its prefix with this one and need not be read anew.

    Raises: EngineError: even the last user turn alone is too long.
    """
    tokens = encode(turns)
    cuts = _cuts(turns)
    excess = len(tokens) + reply_room - window
    if excess > 0 and cuts:
        step = max(window // 4, 1)
        cuts = _beyond(turns, cuts, count, -(-excess // step) * step)
        for cut in cuts:
            tokens = encode(_kept(turns, cut))
            if len(tokens) + reply_room <= window:
                return Prompt(tokens, len(turns) - len(_kept(turns, cut)))
    if not 0 < len(tokens) < window:
        raise _too_long(str(len(tokens)), window)
    return Prompt(tokens, len(turns) - len(_kept(turns, cuts[-1])) if excess > 0 and cuts else 0)


def readable_end(turns: Sequence[Turn], longest_piece: Callable[[], int], window: int) -> Sequence[Turn]:
    """What comes after the last turn that cannot fit by itself, however few tokens of `longest_piece` bytes it has.

    Raises: EngineError: that turn is the last user turn, or the system prompt.
    """
    sizes = [len(turn.text.encode("utf-8", "replace")) for turn in turns]
    if max(sizes) <= window:
        return turns
    least = [-(-size // longest_piece()) for size in sizes]
    wrong = [index for index, tokens in enumerate(least) if tokens > window]
    if not wrong:
        return turns
    cuts = [cut for cut in _cuts(turns) if cut > wrong[-1]]
    if not cuts or turns[wrong[0]].role == "system":
        raise _too_long(f"at least {max(least)}", window)
    return _kept(turns, cuts[0])


def _too_long(needed: str, window: int) -> EngineError:
    return EngineError(
        f"the last message (with the system prompt) needs {needed} tokens and the window has {window}; "
        "shorten it or set a larger context"
    )


def _cuts(turns: Sequence[Turn]) -> list[int]:
    """Indices of the user turns after the first, oldest first: where the kept end may begin."""
    return [index for index, turn in enumerate(turns) if turn.role == "user"][1:]


def _beyond(turns: Sequence[Turn], cuts: list[int], count: Callable[[str], int], goal: int) -> list[int]:
    """The cuts that leave out at least `goal` tokens; the last one where none does."""
    left_out, reached = 0, []
    start = 0
    for cut in cuts:
        left_out += sum(count(turn.text) for turn in turns[start:cut] if turn.role != "system")
        start = cut
        if left_out >= goal:
            reached.append(cut)
    return reached or cuts[-1:]


def _kept(turns: Sequence[Turn], cut: int) -> list[Turn]:
    return [turn for turn in turns[:cut] if turn.role == "system"] + list(turns[cut:])
