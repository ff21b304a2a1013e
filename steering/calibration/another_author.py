"""Another author's vector, which a person's is held against: learned alike, from the product's own neutral texts.

It is the same for everybody, so the one of the last rebuild serves again where it was learned in the same way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from itertools import cycle

import torch
from torch import Tensor

from steering.backbones import CHOOSING
from steering.backbones.base import Example
from steering.calibration.harm import reply_text
from steering.calibration.tuning import NeutralReplies
from steering.models.estimator import Estimator
from steering.neutral import load_neutral_set
from steering.profile import PIPELINE_VERSION, KeptVector


class AnotherAuthor:
    """Learns the vector where none is kept.

    Attributes:
        kept: what the next rebuild may use; None where there is nothing.
    """

    def __init__(self, estimator: Estimator, replies: NeutralReplies, kept: KeptVector | None) -> None:
        """`replies` are what a method that needs negatives gets."""
        self._estimator, self._replies = estimator, replies
        self.kept = kept

    def directions(self, method: str, blocks: Sequence[int]) -> dict[int, Tensor]:
        """Direction of each block, float32 [width], as the method learns it when settings are chosen."""
        network, key = self._estimator.network, self._key(method, blocks)
        if self.kept is None or self.kept.key != key:
            learned = CHOOSING[method].fit(network, self._examples(), blocks)
            self.kept = KeptVector(key, {block: tuple(direction.tolist()) for block, direction in learned.items()})
        return {block: torch.tensor(row, device=network.device) for block, row in self.kept.directions.items()}

    def _examples(self) -> list[Example]:
        tokenizer = self._estimator.tokenizer
        texts = [reply_text(tokenizer, "", text) for text in load_neutral_set().texts]
        negatives = cycle(self._replies.scored(tokenizer))
        return [Example(text, (1.0,) * len(text.text_ids), next(negatives)) for text in texts]

    def _key(self, method: str, blocks: Sequence[int]) -> str:
        """Of all that the vector depends on (hex, 32 characters)."""
        texts = [*load_neutral_set().texts, *self._replies.requests, *self._replies.replies]
        parts = [PIPELINE_VERSION, self._estimator.fingerprint, method, list(blocks), texts]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
