"""What steering does to texts that are none of the person's business, against a budget (METHOD: damage guard).

Measured with teacher forcing here: KL on the model's own neutral replies, NLL on neutral texts, multiple choice
accuracy by the likelihood of the choices (expected over answers drawn by it, for the budget). Generated replies are
looked at in `steering.calibration.replies`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from steering.calibration.heldout import HeldOut
from steering.models.batches import ScoredText
from steering.models.language_model import LanguageModel
from steering.models.network import Directions
from steering.neutral import Question
from steering.profile import MAX_ACCURACY_DROP, MAX_KL, MAX_NLL_RISE
from steering.prompts import render_prompt, tokenize_text


@dataclass(frozen=True, slots=True)
class TeacherForcedHarm:
    """KL in nats, rise of the NLL in nats/token, fall of the expected accuracy in percentage points."""

    kl: float
    nll_rise: float
    accuracy_drop: float

    @property
    def within_budget(self) -> bool:
        """Whether all three stay below their limits."""
        return self.kl <= MAX_KL and self.nll_rise <= MAX_NLL_RISE and self.accuracy_drop <= MAX_ACCURACY_DROP

    def allowed_share(self, kl_alone: float = 0.0) -> float:
        """The share of the dose that would be within the budget, at most 1; 0 where no dose is or harm is no number.

        From `kl_alone`, the KL without a dose (of a description beside it), on KL grows with the square of the dose, or
        faster, as NLL does from 0; the expected accuracy falls about in proportion.
        """
        if kl_alone >= MAX_KL or math.isnan(self.kl + self.nll_rise + self.accuracy_drop):
            return 0.0
        over_kl = max(1.0, (self.kl - kl_alone) / (MAX_KL - kl_alone))
        over_nll = max(1.0, self.nll_rise / MAX_NLL_RISE)
        return 1 / max(math.sqrt(max(over_kl, over_nll)), self.accuracy_drop / MAX_ACCURACY_DROP)


class NeutralKl:
    """Mean KL(unsteered || steered) per token on neutral replies, from one block on."""

    def __init__(self, network: LanguageModel, replies: Sequence[ScoredText], block: int) -> None:
        self._network, self._block = network, block
        self._plain = self._batches = network.prepare(replies, block)
        with torch.inference_mode():
            self._from_unsteered = [network.divergence_from(rows) for rows in network.rows_by_text(self._plain)]

    def after(self, replies: Sequence[ScoredText]) -> NeutralKl:
        """The KL of the same replies after other prompts (with the description) from what they are without these."""
        other = copy.copy(self)
        other._batches = self._network.prepare(replies, self._block)
        return other

    def residual_norms(self, blocks: Sequence[int]) -> dict[int, float]:
        """Median norms of the blocks' outputs on the unsteered replies, which doses are relative to."""
        return self._network.residual_norms(self._plain, blocks)

    @torch.inference_mode()
    def __call__(self, directions: Directions) -> float:
        """Nats per token with the directions added."""
        total, count = 0.0, 0
        steered = self._network.rows_by_text(self._batches, directions)
        for divergence, rows in zip(self._from_unsteered, steered, strict=True):
            total += float(divergence(rows).sum())
            count += len(rows)
        return total / count


class NeutralHarm:
    """All teacher-forced harm from one block on; the unsteered side is computed once."""

    def __init__(
        self,
        network: LanguageModel,
        tokenizer: Any,
        block: int,
        *,
        kl: NeutralKl,
        texts: Sequence[str],
        questions: Sequence[Question],
    ) -> None:
        self.kl = kl
        self._texts = HeldOut(network, [plain_text(tokenizer, text) for text in texts], block)
        self._choices = MultipleChoice(network, tokenizer, questions, block)
        self._nll = self._texts.nll()
        self._accuracy = self._choices.expected_accuracy()

    def measure(self, directions: Directions) -> TeacherForcedHarm:
        """Harm with the directions added."""
        drop = 100 * (self._accuracy - self._choices.expected_accuracy(directions))
        return TeacherForcedHarm(self.kl(directions), self.nll_rise(directions), drop)

    def nll_rise(self, directions: Directions) -> float:
        """Rise of the NLL on neutral texts, nats/token."""
        return self._texts.nll(directions).mean - self._nll.mean


class MultipleChoice:
    """Four-way questions answered by the choice with the largest summed log-likelihood.

    Asking for a letter gives chance on a 135M model (19 of 60, against 41 of 60 by likelihood) and would see no harm.
    """

    def __init__(self, network: LanguageModel, tokenizer: Any, questions: Sequence[Question], block: int) -> None:
        self._answers = torch.tensor([q.answer for q in questions])
        texts = [
            ScoredText(
                tuple(tokenizer(f"Question: {q.question}\nAnswer:")["input_ids"]),
                tokenize_text(tokenizer, f" {choice}")[0],
            )
            for q in questions
            for choice in q.choices
        ]
        self._held = HeldOut(network, texts, block)

    def accuracy(self, directions: Directions | None = None) -> float:
        """Share of questions answered right, 0 to 1."""
        return float((self._loglikelihoods(directions).argmax(dim=1) == self._answers).double().mean())

    def expected_accuracy(self, directions: Directions | None = None) -> float:
        """The same if every answer were drawn by its likelihood: the mean probability of the right one.

        For a budget: a small dose tips three of sixty questions that were as good as tied, now one way, now the other,
        and counting them (standard error 3 points) can make a smaller dose look worse; this (0.7 points) does not.
        """
        chances = self._loglikelihoods(directions).softmax(dim=1)
        return float(chances.gather(1, self._answers[:, None]).mean())

    def _loglikelihoods(self, directions: Directions | None) -> Tensor:
        """Of every choice of every question, nats, [questions, 4]."""
        return -torch.from_numpy(self._held.nll(directions).sums).view(-1, 4)


def plain_text(tokenizer: Any, text: str) -> ScoredText:
    """A text scored from its second token on, without any chat template."""
    ids = tuple(tokenizer(text)["input_ids"])
    return ScoredText(ids[:1], ids[1:])


def reply_text(tokenizer: Any, request: str, reply: str, system: str = "") -> ScoredText:
    """A reply scored after its request."""
    return ScoredText(render_prompt(tokenizer, request, system), tokenize_text(tokenizer, reply)[0])
