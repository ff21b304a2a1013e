"""Gain on texts that made nothing: NLL without and with a profile, and how sure one can be of the difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from steering.models.batches import ScoredText
from steering.models.language_model import LanguageModel
from steering.models.network import Directions

BOOTSTRAP_DRAWS = 2000
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Nll:
    """Summed NLL in nats and number of tokens of each text, [texts]."""

    sums: Floats
    tokens: Floats

    @property
    def mean(self) -> float:
        """Nats/token over all texts together."""
        return float(self.sums.sum() / self.tokens.sum())

    def gain_over(self, unsteered: Nll) -> float:
        """`nll_unsteered - nll_steered`, nats/token; positive is better."""
        return unsteered.mean - self.mean

    def gain_interval(self, unsteered: Nll, *, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
        """Percentile bootstrap interval of the gain over texts (paired: the same texts on both sides)."""
        draws = np.random.default_rng(seed).integers(0, len(self.sums), (BOOTSTRAP_DRAWS, len(self.sums)))
        gains = (unsteered.sums - self.sums)[draws].sum(axis=1) / self.tokens[draws].sum(axis=1)
        low, high = np.quantile(gains, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)


class HeldOut:
    """Texts run up to one block once, scored for any directions from there on."""

    def __init__(self, network: LanguageModel, texts: Sequence[ScoredText], block: int) -> None:
        self._network = network
        self._count = len(texts)
        self._batches = network.prepare(texts, block)

    @torch.inference_mode()
    def nll(self, directions: Directions | None = None) -> Nll:
        """NLL of every text with the directions added (at or above the block that was prepared)."""
        sums, tokens = np.zeros(self._count), np.zeros(self._count)
        for batch in self._batches:
            logprobs, owners = self._network.token_logprobs(batch, directions).cpu().numpy(), batch.owners.cpu().numpy()
            texts = list(batch.indices)
            # In float64, which some GPUs do not have.
            sums[texts] = -np.bincount(owners, weights=logprobs, minlength=len(texts))
            tokens[texts] = np.bincount(owners, minlength=len(texts))
        return Nll(sums, tokens)
