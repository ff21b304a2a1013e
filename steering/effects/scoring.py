"""Log-probabilities of many texts: what their prompts share is read once, and where memory runs out batches shrink."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

import torch
from torch import Tensor
from transformers import Cache

from steering.errors import EstimatorError
from steering.models.batches import ScoredText, batches
from steering.models.heap import is_out_of_memory
from steering.models.language_model import LanguageModel


class Scorer:
    """Scores texts in batches of at most `max_batch_tokens` positions, those of a shared beginning not counted.

    What all prompts begin with is read once, where that saves more than the pass it takes. The beginning that was read
    last is kept: texts that follow it, too, cost only what is new in them.
    """

    def __init__(self, network: LanguageModel, max_batch_tokens: int) -> None:
        self._network = network
        self._max_batch_tokens = max_batch_tokens
        self._begun: tuple[int, ...] = ()
        self._beginning: Cache | None = None

    def logprobs(self, texts: Sequence[ScoredText]) -> list[list[float]]:
        """Log-probability in nats of every token of every text.

        Raises: EstimatorError: one is not a finite number, or there is no memory for a single text.
        """
        beginning = self._begin(texts)
        shared = 0 if beginning is None else len(self._begun)
        rests = [ScoredText(text.prompt_ids[shared:], text.text_ids) for text in texts]
        found: dict[int, list[float]] = {}
        enough = self._network.enough_tokens
        while waiting := [i for i in range(len(texts)) if i not in found]:
            for group in batches([rests[i] for i in waiting], self._max_batch_tokens, enough):
                members = [waiting[place] for place in group]
                scored = self._continued([rests[i] for i in members], beginning, shared)
                if scored is None:
                    break
                found |= {i: _finite(logprobs) for i, logprobs in zip(members, scored, strict=True)}
        return [found[i] for i in range(len(texts))]

    def shares(self, texts: Sequence[ScoredText]) -> bool:
        """Whether the texts are read faster by themselves than among others: for what all their prompts begin with."""
        return self._follow_the_last(texts) or self._worth_a_pass(texts) > 0

    def _follow_the_last(self, texts: Sequence[ScoredText]) -> bool:
        kept = len(self._begun)
        return kept > 0 and all(len(t.prompt_ids) > kept and t.prompt_ids[:kept] == self._begun for t in texts)

    def _worth_a_pass(self, texts: Sequence[ScoredText]) -> int:
        """Tokens that all prompts begin with, where a pass over them saves the others more than it takes; else 0."""
        shared = shared_beginning(texts)
        return shared if (len(texts) - 1) * shared > self._network.enough_tokens else 0

    def _begin(self, texts: Sequence[ScoredText]) -> Cache | None:
        """What all prompts begin with, read now unless it was read last; None where that is not worth a pass."""
        if self._follow_the_last(texts):
            return self._beginning
        shared = self._worth_a_pass(texts)
        if not shared:
            return None
        self._begun, self._beginning = (), None
        try:
            self._beginning = self._network.begin(texts[0].prompt_ids[:shared])
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise _no_memory(shared) from error
        self._begun = () if self._beginning is None else texts[0].prompt_ids[:shared]
        return self._beginning

    def _continued(self, rests: Sequence[ScoredText], beginning: Cache | None, shared: int) -> list[Tensor] | None:
        """None where there was no memory for so many texts: the batches to come are smaller."""
        longest = max(rest.length for rest in rests)
        try:
            return self._network.continued_logprobs(rests, beginning)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if len(rests) == 1:
                raise _no_memory(shared + longest) from error
        if self._network.device.type == "cuda":
            torch.cuda.empty_cache()
        self._max_batch_tokens = len(rests) // 2 * longest
        return None


def shared_beginning(texts: Sequence[ScoredText]) -> int:
    """Tokens that all prompts begin with, 0 for a single one; each keeps one token to predict the text's first from."""
    if len(texts) < 2:
        return 0
    columns = zip(*(text.prompt_ids for text in texts), strict=False)
    common = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
    return min(common, *(len(text.prompt_ids) - 1 for text in texts))


def _no_memory(tokens: int) -> EstimatorError:
    return EstimatorError(
        f"out of memory while a text of {tokens} tokens was read; close other programs, or choose a smaller model"
    )


def _finite(logprobs: Tensor) -> list[float]:
    if not torch.isfinite(logprobs).all():
        raise EstimatorError("the estimator gave log-probabilities that are no finite numbers; use another model")
    listed: list[float] = logprobs.tolist()
    return listed
