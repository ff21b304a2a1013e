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
from steering.student import two_sided_quantile

SPREAD, SPREAD_TEXTS = 0.7, 4
"""How much texts differ in their gain: the variance of a text's gain in all, nats^2 for each of its tokens (median of
development people), and how many texts that counts for beside those of the person, of which few show little of it."""
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

    def gain_interval(self, unsteered: Nll, *, level: float = 0.95) -> tuple[float, float]:
        """Student's interval of the gain over texts (paired: the same texts on both sides), with a moderated variance.

        Resampling the texts themselves is right for many; of two it covers the gain in 44 cases of 100, as two hardly
        show how much texts differ. So what is known of that from other people stands beside it (Smyth 2004, "Linear
        models and empirical Bayes methods", section 3).
        """
        gain, texts = self.gain_over(unsteered), len(self.tokens)
        residuals = unsteered.sums - self.sums - gain * self.tokens
        degrees = SPREAD_TEXTS + texts - 1
        variance = (SPREAD_TEXTS * SPREAD * self.tokens.mean() + (residuals**2).sum()) / degrees
        half = float(two_sided_quantile(level, degrees) * np.sqrt(texts * variance) / self.tokens.sum())
        return gain - half, gain + half


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
