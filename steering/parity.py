"""Are estimator and chat model the same network, and does a vector do in llama.cpp what it did in torch?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import numpy as np
import torch

from steering.calibration.harm import plain_text
from steering.control_vector import ControlVector
from steering.errors import ParityError
from steering.models.batches import ScoredText
from steering.models.chat_model import ChatModel
from steering.models.estimator import Estimator
from steering.models.language_model import LanguageModel
from steering.models.network import Directions, Network
from steering.neutral import load_neutral_set
from steering.prompts import tokenize_text

MAX_KL = 0.05
"""Mean KL in nats between the next-token distributions of the same weights, quantized and not."""
MIN_SAME_TOKENS = 0.9
"""Converted tokenizers may differ in rare characters, which does no harm: effects are kept by characters."""
PROBES = 2
"""Neutral texts that are looked at: about 130 tokens."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How alike the two are: mean KL in nats/token, and the share of tokens that both cut alike."""

    kl: float
    same_tokens: float


def check_parity(estimator: Estimator, chat: ChatModel) -> Parity:
    """Compare estimator and chat model on plain text.

    Raises: ParityError: they are different models, or cut text differently.
    """
    texts = load_neutral_set().texts[:PROBES]
    same = check_same_tokens(estimator.tokenizer, chat, texts)
    probes = [plain_text(estimator.tokenizer, text) for text in texts]
    return Parity(check_same_network(estimator.network, chat, probes), same)


def check_same_network(network: LanguageModel, chat: ChatModel, probes: Sequence[ScoredText]) -> float:
    """Mean KL between chat model and estimator on the probes, unsteered.

    Raises: ParityError: another number of blocks, width or vocabulary, or a KL above MAX_KL.
    """
    ours, theirs = (len(network.blocks), network.width, network.vocabulary), chat.shape
    if ours != theirs:
        raise ParityError(
            f"these are different models: the estimator has {ours[0]} blocks of width {ours[1]} and {ours[2]} tokens, "
            f"the chat model {theirs[0]}, {theirs[1]} and {theirs[2]}; choose the chat model's own weights"
        )
    if not isinstance(network, Network):
        return 0.0  # it is the chat model itself
    kl = mean_kl(network, chat, probes)
    if not kl <= MAX_KL:
        raise ParityError(
            f"these are different models: their predictions differ by {kl:.3f} nats on plain text "
            f"(at most {MAX_KL} for the same weights); choose the chat model's own weights"
        )
    return kl


def check_same_tokens(tokenizer: Any, chat: ChatModel, texts: Sequence[str]) -> float:
    """Share of the tokens of plain texts that estimator and chat model cut alike.

    Raises: ParityError: it is below MIN_SAME_TOKENS.
    """
    pairs = [(tokenize_text(tokenizer, text)[0], chat.tokenize(text)) for text in texts]
    same = sum(SequenceMatcher(None, a, b, autojunk=False).ratio() * (len(a) + len(b)) for a, b in pairs)
    share = same / sum(len(a) + len(b) for a, b in pairs)
    if share < MIN_SAME_TOKENS:
        raise ParityError(
            f"the estimator's tokenizer is not the chat model's: they cut only {share:.0%} of plain text alike; "
            "choose the chat model's own weights"
        )
    return share


def mean_kl(
    network: Network,
    chat: ChatModel,
    probes: Sequence[ScoredText],
    *,
    directions: Directions | None = None,
    vector: ControlVector | None = None,
) -> float:
    """Mean KL(llama.cpp || torch) per scored token, with directions in torch and a vector in llama.cpp."""
    total, count = 0.0, 0
    for probe in probes:
        ids = (*probe.prompt_ids, *probe.text_ids)
        first = len(probe.prompt_ids) - 1
        quantized = torch.from_numpy(np.asarray(chat.logprobs(ids, vector))[first:-1]).double()
        ours = torch_logprobs(network, probe, directions).cpu().double()
        total += float((quantized.exp() * (quantized - ours)).sum())
        count += len(probe.text_ids)
    return total / count


@torch.inference_mode()
def torch_logprobs(network: Network, text: ScoredText, directions: Directions | None = None) -> torch.Tensor:
    """Log-probabilities for every scored token's place, float32 [text tokens, vocabulary]."""
    (batch,) = network.prepare([text], min(directions) if directions else 0)
    return network.logits(network.rows(batch, directions)).log_softmax(dim=-1)
