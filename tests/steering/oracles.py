"""Independent truths for the tests of steering: one text at a time, full forward passes, plain hooks."""

from __future__ import annotations

import contextlib
import random
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from steering.effects.token_effects import TokenEffects
from steering.items import PreferenceItem, Source
from steering.models.batches import ScoredText
from steering.prompts import UNPROMPTED_REQUEST

TINY_VOCABULARY = 279
TINY_WIDTH = 64
_HARD_PIECES = (
    *("👩‍👩‍👧‍👦", "🇩🇪", "😀", "é", "e\u0301", "n\u0303\u0323", "日本語", "שלום", "مرحبا", "\u202e", "\ufeff", "\u200d"),
    *(
        "\x00",
        "\ud83d",
        "\ude00",
        "\ud83d\ude00",
        "हिन्दी",
        " ",
        "\n\n",
        "\t",
        "hello",
        " the",
        " you",
        "user",
        "\U0010ffff",
    ),
)
hard_text = st.lists(
    st.one_of(st.sampled_from(_HARD_PIECES), st.text(st.characters(exclude_categories=()), max_size=6)), max_size=8
).map("".join)
"""Any Unicode, lone surrogates and NUL too."""


def is_bad(character: str) -> bool:
    """Whether it is a surrogate, a control character other than a tab or a line end, or in planes 4 to 11."""
    control = ord(character) < 0x20 or ord(character) == 0x7F
    unassigned = 4 <= ord(character) >> 16 <= 11
    return unicodedata.category(character) == "Cs" or unassigned or (control and character not in "\t\n\r")


def plain_prompt(tokenizer: Any, request: str, slot: str) -> tuple[int, ...]:
    """The chat template of the tiny and of the bundled model, written out by hand."""
    system = f"Earlier texts by the same person:\n\n{slot}\n\nWrite the next one as this person would."
    rendered = (
        f"<|im_start|>system\n{system}<|im_end|>\n"
        f"<|im_start|>user\n{request or UNPROMPTED_REQUEST}<|im_end|>\n<|im_start|>assistant\n"
    )
    return tuple(tokenizer(rendered, add_special_tokens=False)["input_ids"])


def make_items() -> list[PreferenceItem]:
    """Nine items of one person, oldest first; some answer nobody, one is not plain ASCII."""
    written = [
        ("What do you like?", "hello, I like the garden and you."),
        ("", "The garden needs rain, and the roses as well!"),
        ("How do I cook rice?", "rinse the rice; then boil it and wait."),
        ("Is it late?", "nah, it's early"),
        ("", "日本語も少し書きます 😀 and then some English."),
        ("How are the roses?", "the roses are fine, and the garden too"),
        ("Which train?", "take the 9:14 and change in Bern."),
        ("How much rice?", "a cup of rice for the two of you"),
        ("", "x"),
    ]
    return [
        PreferenceItem(f"i{order}", context, text, Source.WRITING, float(order))
        for order, (context, text) in enumerate(written)
    ]


def make_texts(count: int, *, seed: int) -> list[ScoredText]:
    """Random token sequences of the tiny model of very different lengths."""
    draw = random.Random(seed)

    def ids(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw.randrange(3, TINY_VOCABULARY) for _ in range(draw.randint(low, high)))

    return [ScoredText(ids(1, 20), ids(1, 24)) for _ in range(count)]


def make_directions(*blocks: int, norm: float, width: int = TINY_WIDTH, seed: int = 0) -> dict[int, Tensor]:
    """Random directions of one norm."""
    generator = torch.Generator().manual_seed(seed)
    drawn = {block: torch.randn(width, generator=generator) for block in blocks}
    return {block: norm * direction / direction.norm() for block, direction in drawn.items()}


def make_effects(spans: Sequence[tuple[int, int]], effects: Sequence[float]) -> TokenEffects:
    """Effects as given, over the characters given."""
    without = tuple(-3.0 for _ in effects)
    with_h = tuple(-3.0 + effect for effect in effects)
    return TokenEffects(tuple(s for s, _ in spans), tuple(e for _, e in spans), with_h, without)


@contextlib.contextmanager
def steered(model: Any, directions: Mapping[int, Tensor]) -> Iterator[None]:
    """Add a direction to the output of `model.model.layers[k]`."""

    def hook(direction: Tensor) -> Any:
        def add(_module: object, _args: object, output: Any) -> Any:
            if isinstance(output, tuple):
                return (output[0] + direction.to(output[0].dtype), *output[1:])
            return output + direction.to(output.dtype)

        return add

    handles = [model.model.layers[k].register_forward_hook(hook(d)) for k, d in directions.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def full_logprobs(model: Any, text: ScoredText, directions: Mapping[int, Tensor] | None = None) -> Tensor:
    """Log-probabilities at every scored token's place, [text tokens, vocabulary], from one plain forward pass."""
    ids = torch.tensor([text.prompt_ids + text.text_ids])
    with steered(model, directions or {}):
        logits = model(input_ids=ids, use_cache=False).logits[0].float()
    return logits[len(text.prompt_ids) - 1 : -1].log_softmax(dim=-1)


def token_logprobs(model: Any, text: ScoredText, directions: Mapping[int, Tensor] | None = None) -> Tensor:
    """Log-probability of every scored token, [text tokens]."""
    full = full_logprobs(model, text, directions)
    return torch.stack([full[place, token] for place, token in enumerate(text.text_ids)])


@torch.no_grad()
def block_output(model: Any, ids: Sequence[int], block: int) -> Tensor:
    """Output of `model.model.layers[block]` for one sequence, [positions, width]."""
    kept: list[Tensor] = []

    def keep(_module: object, _args: object, output: Any) -> None:
        kept.append(output[0] if isinstance(output, tuple) else output)

    handle = model.model.layers[block].register_forward_hook(keep)
    model(input_ids=torch.tensor([list(ids)]), use_cache=False)
    handle.remove()
    return kept[0][0]
