"""The methods by their names, and what each learns from.

A method and the same "steerx-" differ in the weights of the tokens, and where a method has the preference in the
prompt, in what stands for it there: the raw history, or the description (METHOD, section 5).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from steering.backbones import BACKBONES
from steering.backbones.base import Example
from steering.effects.history import history_slot, plan
from steering.effects.token_effects import TokenEffects
from steering.evaluation.names import OTHER_PERSON, SHARED, STEERX, WITH_DESCRIPTION
from steering.items import PreferenceItem
from steering.material import examples
from steering.models.language_model import LanguageModel
from steering.prompts import description_system, history_system

PROMPT_TOKENS = 300
"""Of the raw history in a prompt, for the methods that have the preference there."""


@dataclass(frozen=True, slots=True)
class RandomDirections:
    """A direction drawn for each block: what any vector of that length does."""

    seed: str

    needs_gradients: ClassVar = False
    needs_negatives: ClassVar = False
    needs_description: ClassVar = False

    def fit(self, network: LanguageModel, examples: Sequence[Example], blocks: Sequence[int]) -> dict[int, Tensor]:
        """See `Backbone.fit`; the same seed and block give the same direction."""
        return {block: self._drawn(block, network.width).to(network.device) for block in blocks}

    def _drawn(self, block: int, width: int) -> Tensor:
        digest = hashlib.sha256(f"{self.seed} {block}".encode()).digest()
        return torch.randn(width, generator=torch.Generator().manual_seed(int.from_bytes(digest[:6])))


def needing_gradients(names: Iterable[str]) -> list[str]:
    """Those of the methods whose vector, or the one that they take over, is made with gradients."""
    made = {name: SHARED if name in (WITH_DESCRIPTION, OTHER_PERSON) else name for name in names}
    backbones = {name: BACKBONES.get(maker.removeprefix(STEERX)) for name, maker in made.items()}
    return [name for name, backbone in backbones.items() if backbone and backbone.needs_gradients]


def learned_by(
    name: str,
    tokenizer: Any,
    items: Sequence[PreferenceItem],
    effects: Mapping[str, TokenEffects],
    negatives: Mapping[str, str],
    description: str,
) -> list[Example]:
    """What the method learns from, with the weights and the prompt that it has."""
    steerx, method = name.startswith(STEERX), name.removeprefix(STEERX)
    if method not in BACKBONES or not BACKBONES[method].needs_description:
        made = examples(tokenizer, items, effects, negatives)
    elif steerx:
        said = description_system(description)
        made = examples(tokenizer, items, effects, negatives, system=lambda _: said)
    else:
        made = examples(tokenizer, items, effects, negatives, system=_raw_history(tokenizer, items))
    return made if steerx else [replace(example, weights=(1.0,) * len(example.weights)) for example in made]


def _raw_history(tokenizer: Any, items: Sequence[PreferenceItem]) -> Any:
    jobs = {job.item.id: job for job in plan(items, tokenizer, PROMPT_TOKENS)}
    return lambda item: history_system(history_slot(jobs[item.id].history, tokenizer))
