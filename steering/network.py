"""A causal LM cut at a block: what lies below is computed once, what lies above runs again for every vector.

Block k means torch's `layers[k]` (0-based); its output is the residual stream that a control vector is added to.
Batches are padded on the right: in a causal model no real position sees what follows it, so no mask is needed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from steering.errors import EstimatorError

Directions: TypeAlias = Mapping[int, Tensor]
"""Vectors of shape [width] by the block to whose output they are added."""

_BLOCK_NAMES = ("layers", "h")
_NORM_NAMES = ("norm", "final_layernorm", "ln_f")


@dataclass(frozen=True, slots=True)
class ScoredText:
    """A prompt and the text that is scored after it, as token ids; `text_ids` is not empty."""

    prompt_ids: tuple[int, ...]
    text_ids: tuple[int, ...]

    @property
    def length(self) -> int:
        """Tokens in all."""
        return len(self.prompt_ids) + len(self.text_ids)


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """Sequences run up to and including block `block`.

    Attributes:
        indices: position of each sequence in the list that was prepared.
        hidden: output of the block, [sequences, positions, width].
        arguments: what each block above it is called with besides the hidden state.
        rows: flat positions whose next token is scored, [rows].
        targets: the token that follows each row, [rows].
        owners: which sequence of the batch each row belongs to, [rows].
    """

    block: int
    indices: tuple[int, ...]
    hidden: Tensor
    arguments: tuple[dict[str, Any], ...]
    rows: Tensor
    targets: Tensor
    owners: Tensor


class Network:
    """Blocks, final norm and output head of a transformers causal LM, frozen."""

    def __init__(self, model: Any) -> None:
        """Find the parts of the model.

        Raises: EstimatorError: the model is not built as blocks, norm and head.
        """
        self.decoder: nn.Module = model.get_decoder()
        self.head: nn.Module = model.get_output_embeddings()
        self.blocks: nn.ModuleList = _part(self.decoder, _BLOCK_NAMES)
        self.norm: nn.Module = _part(self.decoder, _NORM_NAMES)
        config = model.config.get_text_config()
        self.width: int = config.hidden_size
        self.vocabulary: int = config.vocab_size
        self._softcap: float | None = getattr(config, "final_logit_softcapping", None)
        for parameter in model.parameters():
            parameter.requires_grad_(False)

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.decoder.parameters()).device

    def prepare(
        self, sequences: Sequence[ScoredText], block: int, *, max_batch_tokens: int = 4096
    ) -> list[PreparedBatch]:
        """Run all sequences up to block `block`, in batches of similar length."""
        return [self._prepare(sequences, group, block) for group in batches(sequences, max_batch_tokens)]

    def run(self, sequences: Sequence[ScoredText]) -> PreparedBatch:
        """Run all blocks over one batch, for scoring without any vector."""
        return self._prepare(sequences, tuple(range(len(sequences))), len(self.blocks) - 1)

    def rows(self, batch: PreparedBatch, directions: Directions | None = None) -> Tensor:
        """Final hidden state (after the norm) of the scored rows, [rows, width], with the directions added."""
        added = directions or {}
        hidden = _added(batch.hidden, added.get(batch.block))
        for block, arguments in zip(range(batch.block + 1, len(self.blocks)), batch.arguments, strict=True):
            hidden = _added(_hidden(self.blocks[block](hidden, **arguments)), added.get(block))
        final: Tensor = self.norm(hidden.flatten(0, 1)[batch.rows])
        return final

    def rows_by_text(self, prepared: Sequence[PreparedBatch], directions: Directions | None = None) -> list[Tensor]:
        """The same by text, in the order in which they were prepared: [text tokens, width] each."""
        found: dict[int, Tensor] = {}
        for batch in prepared:
            rows = self.rows(batch, directions)
            for place, i in enumerate(batch.indices):
                found[i] = rows[batch.owners == place]
        return [found[i] for i in range(len(found))]

    def logits(self, rows: Tensor) -> Tensor:
        """Logits in float32, [rows, vocabulary]."""
        logits: Tensor = self.head(rows).float()
        return self._softcap * torch.tanh(logits / self._softcap) if self._softcap else logits

    def token_logprobs(self, batch: PreparedBatch, directions: Directions | None = None, *, chunk: int = 512) -> Tensor:
        """Log-probability of every scored token in nats, float32 [rows]; differentiable in the directions."""
        rows = self.rows(batch, directions)
        parts = zip(torch.split(rows, chunk), torch.split(batch.targets, chunk), strict=True)
        return torch.cat([-nn.functional.cross_entropy(self.logits(r), t, reduction="none") for r, t in parts])

    @contextlib.contextmanager
    def _recorded(self, block: int) -> Iterator[tuple[list[Tensor], list[dict[str, Any]]]]:
        """Record block `block`'s output and the arguments of the blocks above it, which are not run."""
        outputs: list[Tensor] = []
        arguments: list[dict[str, Any]] = []

        def keep_arguments(_module: nn.Module, _args: object, kwargs: dict[str, Any]) -> None:
            arguments.append(dict(kwargs))

        def keep_output(_module: nn.Module, _args: object, output: Any) -> None:
            outputs.append(_hidden(output))

        above = list(self.blocks)[block + 1 :]
        handles = [layer.register_forward_pre_hook(keep_arguments, with_kwargs=True) for layer in above]
        handles.append(self.blocks[block].register_forward_hook(keep_output))
        forwards = [layer.forward for layer in above]
        for layer in above:
            layer.forward = _pass_through
        try:
            yield outputs, arguments
        finally:
            for handle in handles:
                handle.remove()
            for layer, forward in zip(above, forwards, strict=True):
                layer.forward = forward

    @torch.no_grad()
    def _prepare(self, sequences: Sequence[ScoredText], group: tuple[int, ...], block: int) -> PreparedBatch:
        chosen = [sequences[i] for i in group]
        width = max(s.length for s in chosen)
        ids = torch.zeros(len(chosen), width, dtype=torch.long)
        rows: list[int] = []
        targets: list[int] = []
        owners: list[int] = []
        for row, s in enumerate(chosen):
            ids[row, : s.length] = torch.tensor(s.prompt_ids + s.text_ids)
            first = row * width + len(s.prompt_ids) - 1
            rows += range(first, first + len(s.text_ids))
            targets += s.text_ids
            owners += [row] * len(s.text_ids)
        with self._recorded(block) as (outputs, arguments):
            self.decoder(input_ids=ids.to(self.device), use_cache=False)
        place = self.device
        return PreparedBatch(
            block,
            group,
            outputs[0],
            tuple(arguments),
            torch.tensor(rows, device=place),
            torch.tensor(targets, device=place),
            torch.tensor(owners, device=place),
        )


def residual_norm(prepared: Sequence[PreparedBatch]) -> float:
    """Median Euclidean norm of the prepared block's output over the scored rows: what a dose is relative to."""
    norms = [batch.hidden.flatten(0, 1)[batch.rows].float().norm(dim=-1) for batch in prepared]
    return float(torch.cat(norms).median())


def batches(sequences: Sequence[ScoredText], max_tokens: int) -> list[tuple[int, ...]]:
    """Indices grouped by similar length so that no padded batch holds more than `max_tokens` positions."""
    order = sorted(range(len(sequences)), key=lambda i: -sequences[i].length)
    groups: list[tuple[int, ...]] = []
    start = 0
    while start < len(order):
        size = max(1, max_tokens // sequences[order[start]].length)
        groups.append(tuple(order[start : start + size]))
        start += size
    return groups


def _part(module: nn.Module, names: Sequence[str]) -> Any:
    for name in names:
        if hasattr(module, name):
            return getattr(module, name)
    raise EstimatorError(f"{type(module).__name__} has none of the parts {', '.join(names)}; use another model")


def _pass_through(hidden: Tensor, *_args: object, **_kwargs: object) -> Tensor:
    return hidden


def _hidden(output: Any) -> Tensor:
    hidden: Tensor = output[0] if isinstance(output, tuple) else output
    return hidden


def _added(hidden: Tensor, direction: Tensor | None) -> Tensor:
    return hidden if direction is None else hidden + direction.to(hidden.dtype)
