"""What harm is measured on, run up to the blocks that are steered; the same for every person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import exp

from torch import Tensor

from steering.calibration.harm import MultipleChoice, NeutralKl, plain_text
from steering.calibration.heldout import HeldOut
from steering.calibration.tuning import NeutralReplies
from steering.models.estimator import Estimator
from steering.neutral import Question


@dataclass(frozen=True, slots=True)
class Damage:
    """What harm is measured on beside the neutral replies: texts for the perplexity, questions of four choices."""

    texts: tuple[str, ...]
    questions: tuple[Question, ...]


class Ground:
    """Harm from one set of blocks on; what is slow is computed when it is first asked for."""

    def __init__(self, estimator: Estimator, neutral: NeutralReplies, damage: Damage, blocks: tuple[int, ...]) -> None:
        self._estimator, self._neutral, self._damage, self._block = estimator, neutral, damage, min(blocks)
        self.kl = NeutralKl(estimator.network, neutral.scored(estimator.tokenizer), self._block)
        self.norms = self.kl.residual_norms(blocks)

    def kl_after(self, system: Callable[[str], str]) -> NeutralKl:
        """KL with a system prompt before every neutral request."""
        return self.kl.after(self._neutral.scored(self._estimator.tokenizer, system))

    @cached_property
    def damage(self) -> Callable[[Mapping[int, Tensor]], tuple[float, float]]:
        """Perplexity on the texts and accuracy on the questions, with directions."""
        network, tokenizer = self._estimator.network, self._estimator.tokenizer
        texts = HeldOut(network, [plain_text(tokenizer, text) for text in self._damage.texts], self._block)
        questions = MultipleChoice(network, tokenizer, self._damage.questions, self._block)
        return lambda directions: (exp(texts.nll(directions).mean), questions.accuracy(directions))
