"""Drawing the next token."""

from __future__ import annotations

import ctypes
import secrets
from typing import Any

import llama_cpp

from assistant.engine.llama.context import LlamaContext
from assistant.engine.llama.grammar import Candidates, Grammar
from assistant.engine.llama.model import LlamaModel
from assistant.engine.llama.parallel import ParallelContext
from assistant.engine.protocol import Sampling

PENALTY_WINDOW_TOKENS = 256
DRY_BASE = 1.75
DRY_ALLOWED_LENGTH = 2
DRY_BREAKERS = (b"\n", b":", b'"', b"*")
LAST_SEED = 0xFFFFFFFE  # one more means "draw one" to llama.cpp


class Sampler:
    """Draws the next token as `Sampling` says; penalties look at the reply only, not at the prompt.

    Attributes:
        seed: the one that it draws with; the same seed and settings draw the same.

    Raises: EngineError: the grammar does not parse.
    """

    def __init__(self, model: LlamaModel, sampling: Sampling) -> None:
        self._grammar = Grammar(model, sampling.grammar) if sampling.grammar else None
        self.seed = secrets.randbelow(LAST_SEED) if sampling.seed is None else sampling.seed % (LAST_SEED + 1)
        self._chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
        for link in _links(model, sampling, self.seed):
            llama_cpp.llama_sampler_chain_add(self._chain, link)

    def accept(self, token: int) -> None:
        """Count a token that is already in the reply.

        Raises: EngineError: the grammar does not allow it here.
        """
        if self._grammar:
            self._grammar.accept(token)
        llama_cpp.llama_sampler_accept(self._chain, token)

    def draw(self, context: LlamaContext) -> int:
        """The next token after what the context holds; it counts as accepted.

        Raises: EngineError: the model has no token that the grammar allows.
        """
        if not self._grammar and context.returned_logits is None:
            return int(llama_cpp.llama_sampler_sample(self._chain, context._context, -1))
        logits = context.logits()
        # Before the chain: what top-k and the like leave over may all be forbidden.
        candidates = self._grammar.allowed(logits) if self._grammar else Candidates.of_vocabulary(logits)
        candidates.apply(self._chain)
        token = candidates.selected
        self.accept(token)
        return token

    def draw_for(self, context: ParallelContext, sequence: int) -> int:
        """The next token of one of several sequences, without a grammar; it counts as accepted."""
        return int(llama_cpp.llama_sampler_sample(self._chain, context._context, context.row(sequence)))

    def close(self) -> None:
        """Give the memory back."""
        if self._grammar:
            self._grammar.close()
        if self._chain:
            llama_cpp.llama_sampler_free(self._chain)
            self._chain = None


def _links(model: LlamaModel, sampling: Sampling, seed: int) -> list[Any]:
    links = []
    if sampling.repeat_penalty != 1:
        window, penalty = PENALTY_WINDOW_TOKENS, sampling.repeat_penalty
        links.append(llama_cpp.llama_sampler_init_penalties(model.vocabulary, window, penalty, 0.0, 0.0))
    if sampling.dry_multiplier > 0:
        breakers = (ctypes.c_char_p * len(DRY_BREAKERS))(*DRY_BREAKERS)
        links.append(
            llama_cpp.llama_sampler_init_dry(
                model._vocab,
                sampling.dry_multiplier,
                DRY_BASE,
                DRY_ALLOWED_LENGTH,
                model.trained_context,
                breakers,
                len(breakers),
            )
        )
    if sampling.temperature <= 0:
        return [*links, llama_cpp.llama_sampler_init_greedy()]
    return [
        *links,
        llama_cpp.llama_sampler_init_top_k(sampling.top_k),
        llama_cpp.llama_sampler_init_top_p(sampling.top_p, 1),
        llama_cpp.llama_sampler_init_min_p(sampling.min_p, 1),
        llama_cpp.llama_sampler_init_temp(sampling.temperature),
        llama_cpp.llama_sampler_init_dist(seed),
    ]
