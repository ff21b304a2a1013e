"""Are estimator and chat model the same network, and does a vector do in llama.cpp what it did in torch?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from steering.chat_model import ChatModel
from steering.control_vector import ControlVector
from steering.errors import ParityError
from steering.network import Directions, Network, ScoredText

MAX_KL = 0.05
"""Mean KL in nats between the next-token distributions of the same weights, quantized and not."""


def check_same_network(network: Network, chat: ChatModel, probes: Sequence[ScoredText]) -> float:
    """Mean KL between chat model and estimator on the probes, unsteered.

    Raises: ParityError: another number of blocks, width or vocabulary, or a KL above MAX_KL.
    """
    ours, theirs = (len(network.blocks), network.width, network.vocabulary), chat.shape
    if ours != theirs:
        raise ParityError(
            f"these are different models: the estimator has {ours[0]} blocks of width {ours[1]} and {ours[2]} tokens, "
            f"the chat model {theirs[0]}, {theirs[1]} and {theirs[2]}; choose the chat model's own weights"
        )
    kl = mean_kl(network, chat, probes)
    if not kl <= MAX_KL:
        raise ParityError(
            f"these are different models: their predictions differ by {kl:.3f} nats on plain text "
            f"(at most {MAX_KL} for the same weights); choose the chat model's own weights"
        )
    return kl


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
        ours = torch_logprobs(network, probe, directions).double().cpu()
        total += float((quantized.exp() * (quantized - ours)).sum())
        count += len(probe.text_ids)
    return total / count


@torch.inference_mode()
def torch_logprobs(network: Network, text: ScoredText, directions: Directions | None = None) -> torch.Tensor:
    """Log-probabilities for every scored token's place, float32 [text tokens, vocabulary]."""
    (batch,) = network.prepare([text], min(directions) if directions else 0)
    return network.logits(network.rows(batch, directions)).log_softmax(dim=-1)
