"""The profile of somebody of whom nothing is known but chat messages: description, and a vector made from it.

A rebuild learns no vector from chat messages, lest the assistant talk like a question, and refuses a history of nothing
else. So effects, phrases and description come from the code of a rebuild, and the vector from the description: what it
does, in the prompt, to the model's own neutral replies (prompt contrast), which are nobody's questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from steering.backbones import BACKBONES
from steering.backbones.base import Backbone, Example
from steering.calibration.candidates import Candidate, at_kl, candidate_blocks, fit_candidate
from steering.calibration.harm import NeutralKl, reply_text
from steering.calibration.split import Split
from steering.calibration.tuning import NeutralReplies
from steering.calibration.wording import best_description
from steering.effects.phrases import rank_phrases
from steering.evaluation.methods import RandomDirections
from steering.evaluation.names import KL
from steering.items import PreferenceItem
from steering.learning import score_history
from steering.models.chat_model import ChatModel
from steering.models.estimator import Estimator
from steering.prompts import description_system

WITHIN = 0.02
"""Share of the KL within which it is met, as where methods are compared on people."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learned of somebody.

    Attributes:
        directions: the vector made from the description at its dose, [width] by block.
        kl_vector, kl_description, kl_both: nats on the model's own neutral replies.
    """

    description: str
    directions: Mapping[int, Tensor]
    kl_vector: float
    kl_description: float
    kl_both: float


class ProfileMaker:
    """Makes profiles one after the other; the neutral ground is computed once."""

    def __init__(self, estimator: Estimator, chat: ChatModel, neutral: NeutralReplies) -> None:
        self.estimator, self._chat = estimator, chat
        self._choosing, self._judging = neutral.choosing(), neutral.judging()
        self.blocks = candidate_blocks(len(estimator.network.blocks))[0]
        self._kl = NeutralKl(estimator.network, self._judging.scored(estimator.tokenizer), min(self.blocks))
        self._norms = self._kl.residual_norms(self.blocks)

    def learned(self, history: Sequence[PreferenceItem]) -> Learned:
        """The profile of a history of chat messages, oldest first; at least two."""
        description = self._description(history)
        system = description_system(description)
        fitted = self._at_kl(BACKBONES["prompt-contrast"], self._contrasts(system))
        kl = self._kl.after(self._judging.scored(self.estimator.tokenizer, system))
        return Learned(description, fitted.directions(), fitted.kl, kl({}), kl(fitted.directions()))

    def random(self, seed: str) -> tuple[Mapping[int, Tensor], float]:
        """A random vector of the same KL, and the KL that it has."""
        fitted = self._at_kl(RandomDirections(seed), ())
        return fitted.directions(), fitted.kl

    def _description(self, history: Sequence[PreferenceItem]) -> str:
        """The written one or the template, whichever helps more on the newest quarter, as a rebuild has it."""
        effects = score_history(self.estimator, history, {}, lambda _: None, lambda _: None).effects
        newest, known = max(1, round(len(history) / 4)), tuple(history)
        split = Split(learnable=known, measurable=known, fit=known[:-newest], tune=known[-newest:], held_back=())
        return best_description(self.estimator, self._chat, split, lambda items: rank_phrases(items, effects)).shipped

    def _contrasts(self, system: str) -> list[Example]:
        """Neutral replies without and with the system prompt; not those that the KL is measured on."""
        tokenizer = self.estimator.tokenizer
        found = []
        for request, reply in zip(self._choosing.requests, self._choosing.replies, strict=True):
            if reply.strip():
                text = reply_text(tokenizer, request, reply)
                described = reply_text(tokenizer, request, reply, system)
                found.append(Example(text, (1.0,) * len(text.text_ids), None, described))
        return found

    def _at_kl(self, backbone: Backbone, examples: Sequence[Example]) -> Candidate:
        fitted = fit_candidate(self.estimator.network, "", backbone, examples, self.blocks, self._norms)
        return at_kl(fitted, self._kl, KL, WITHIN)
