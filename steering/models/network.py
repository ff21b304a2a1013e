"""A causal LM cut at a block: what lies below is computed once, what lies above runs again for every vector.

Block k means torch's `layers[k]` (0-based); its output is the residual stream that a control vector is added to.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from transformers import Cache

from steering.errors import EstimatorError
from steering.models.batches import PaddedBatch, ScoredText, batches, enough_tokens, padded
from steering.models.beginning import can_be_followed, followed
from steering.models.divergence import Divergence, from_hidden, from_logits
from steering.models.output_head import sharp_logits

Directions: TypeAlias = Mapping[int, Tensor]
"""Vectors of shape [width] by the block to whose output they are added."""

LOGITS_AT_ONCE, GPU_LOGITS_AT_ONCE = 2**22, 2**25
"""Logits that are held at the same time: 16 MiB in float32, what a processor's cache takes; a GPU has no such cache."""
BATCH_TOKENS = 4096
"""Positions of a batch where a larger one is no faster."""
MIN_ROWS_AT_ONCE = 64
"""Below this the output head is read more often than it is used."""

_BLOCK_NAMES = ("layers", "h")
_NORM_NAMES = ("norm", "final_layernorm", "ln_f")
_CACHE_NAMES = ("cache", "past_key_values")
"""What transformers calls the keys and values of what was read already, and what it called them before 5.24."""


@dataclass(frozen=True, slots=True)
class PreparedBatch(PaddedBatch):
    """Sequences run up to and including block `block`.

    Attributes:
        indices: position of each sequence in the list that was prepared.
        hidden: output of the block, [sequences, positions, width].
        arguments: what each block above it is called with besides the hidden state.
    """

    block: int
    indices: tuple[int, ...]
    hidden: Tensor
    arguments: tuple[dict[str, Any], ...]


class Network:
    """Blocks, final norm and output head of a transformers causal LM, frozen."""

    gives_gradients = True

    def __init__(self, model: Any) -> None:
        """Find the parts of the model.

        Raises: EstimatorError: the model is not built as blocks, norm and head.
        """
        self.decoder: nn.Module = model.get_decoder()
        self.head: nn.Linear = model.get_output_embeddings()
        self.blocks: nn.ModuleList = _part(self.decoder, _BLOCK_NAMES)
        self.norm: nn.Module = _part(self.decoder, _NORM_NAMES)
        config = model.config.get_text_config()
        self.width: int = config.hidden_size
        self.vocabulary: int = config.vocab_size
        self.context: int | None = getattr(config, "max_position_embeddings", None)
        self._softcap: float | None = getattr(config, "final_logit_softcapping", None)
        # A name that it does not know would be ignored: everything would be read as if nothing came before.
        known = inspect.signature(self.decoder.forward).parameters
        self._cache_name = next((name for name in _CACHE_NAMES if name in known), None)
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        self.enough_tokens: int = enough_tokens(self.device, sum(p.numel() for p in self.decoder.parameters()))

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.decoder.parameters()).device

    def prepare(
        self, sequences: Sequence[ScoredText], block: int, *, max_batch_tokens: int | None = None
    ) -> list[PreparedBatch]:
        """Run all sequences up to block `block`, in batches of similar length."""
        groups = batches(sequences, max_batch_tokens or max(BATCH_TOKENS, self.enough_tokens), self.enough_tokens)
        return [self._prepare(sequences, group, block) for group in groups]

    def outputs(self, batch: PreparedBatch, directions: Directions | None = None) -> Iterator[tuple[int, Tensor]]:
        """Block and its output [sequences, positions, width] with the directions added, from `batch.block` on."""
        added = directions or {}
        hidden = _added(batch.hidden, added.get(batch.block))
        yield batch.block, hidden
        for block, arguments in zip(range(batch.block + 1, len(self.blocks)), batch.arguments, strict=True):
            hidden = _added(_hidden(self.blocks[block](hidden, **arguments)), added.get(block))
            yield block, hidden

    def rows(self, batch: PreparedBatch, directions: Directions | None = None) -> Tensor:
        """Final hidden state (after the norm) of the scored rows, [rows, width], with the directions added."""
        for _, output in self.outputs(batch, directions):
            last = output
        final: Tensor = self.norm(last.flatten(0, 1)[batch.rows])
        return final

    def rows_by_text(self, prepared: Sequence[PreparedBatch], directions: Directions | None = None) -> list[Tensor]:
        """The same by text, in the order in which they were prepared: [text tokens, width] each."""
        found: dict[int, Tensor] = {}
        for batch in prepared:
            rows = self.rows(batch, directions)
            for place, i in enumerate(batch.indices):
                found[i] = rows[batch.owners == place]
        return [found[i] for i in range(len(found))]

    @torch.inference_mode()
    def residual_norms(self, prepared: Sequence[PreparedBatch], blocks: Sequence[int]) -> dict[int, float]:
        """Median Euclidean norm of each block's output over the scored rows: what a dose is relative to.

        The blocks are not below the one that was prepared.
        """
        found: dict[int, list[Tensor]] = {block: [] for block in blocks}
        for batch in prepared:
            for block, output in itertools.takewhile(lambda seen: seen[0] <= max(blocks), self.outputs(batch)):
                if block in found:
                    found[block].append(output.flatten(0, 1)[batch.rows].float().norm(dim=-1))
        return {block: float(torch.cat(norms).median()) for block, norms in found.items()}

    def logits(self, rows: Tensor) -> Tensor:
        """Logits in float32, [rows, vocabulary]."""
        return self._capped(self.head(rows).float())

    @torch.inference_mode()
    def divergence_from(self, rows: Tensor) -> Divergence:
        """KL in nats from the distributions of these rows to those of as many others."""
        return from_logits(self.logits, rows) if self._softcap else from_hidden(self.head, rows)

    def _capped(self, logits: Tensor) -> Tensor:
        return self._softcap * torch.tanh(logits / self._softcap) if self._softcap else logits

    def token_logprobs(self, batch: PreparedBatch, directions: Directions | None = None) -> Tensor:
        """Log-probability of every scored token in nats, float32 [rows]; differentiable in the directions."""
        return self._in_chunks(self._plain, self.rows(batch, directions), batch.targets)

    @torch.inference_mode()
    def begin(self, ids: Sequence[int]) -> Cache | None:
        """Keys and values of all blocks after reading one sequence; None where the model keeps something else."""
        if self._cache_name is None:
            return None
        read = self.decoder(input_ids=torch.tensor([list(ids)], device=self.device), use_cache=True)
        cache: Cache = getattr(read, self._cache_name)
        return cache if can_be_followed(cache) else None

    @torch.inference_mode()
    def continued_logprobs(self, sequences: Sequence[ScoredText], beginning: Cache | None) -> list[Tensor]:
        """Log-probabilities in nats of every sequence's text, float32 [text tokens] each, in one batch.

        `beginning` is what all sequences follow; it is not changed, and their prompts do not repeat it.
        """
        batch = padded(sequences, self.device)
        before = {self._cache_name: followed(beginning)} if self._cache_name and beginning is not None else {}
        final = self.decoder(input_ids=batch.ids, use_cache=bool(before), **before).last_hidden_state
        found = self._in_chunks(self._sharp, final.flatten(0, 1)[batch.rows], batch.targets)
        return list(torch.split(found, [len(s.text_ids) for s in sequences]))

    def _sharp(self, rows: Tensor, targets: Tensor) -> Tensor:
        """Log-probability of each row's target, free of the rounding of logits, float32 [rows]."""
        logits = self._capped(sharp_logits(self.head, rows, targets))
        # Not logsumexp: on a CPU it took fifteen times as long.
        return logits.log_softmax(dim=1).gather(1, targets[:, None])[:, 0]

    def _plain(self, rows: Tensor, targets: Tensor) -> Tensor:
        """Log-probability of each row's target, float32 [rows]; differentiable."""
        return -nn.functional.cross_entropy(self.logits(rows), targets, reduction="none")

    def _in_chunks(self, of: Callable[[Tensor, Tensor], Tensor], rows: Tensor, targets: Tensor) -> Tensor:
        """`of` rows and their targets, few at a time: the logits of all at once would not fit into memory."""
        logits = GPU_LOGITS_AT_ONCE if self.device.type == "cuda" else LOGITS_AT_ONCE
        chunk = max(MIN_ROWS_AT_ONCE, logits // self.vocabulary)
        # Written to one tensor: small ones between the large would keep those from being freed, hundreds of megabytes.
        found = torch.empty(len(rows), device=rows.device)
        for start in range(0, len(rows), chunk):
            found[start : start + chunk] = of(rows[start : start + chunk], targets[start : start + chunk])
        return found

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
        batch = padded([sequences[i] for i in group], self.device)
        with self._recorded(block) as (outputs, arguments):
            self.decoder(input_ids=batch.ids, use_cache=False)
        read = batch.ids, batch.rows, batch.targets, batch.owners
        return PreparedBatch(*read, block, group, outputs[0], tuple(arguments))


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
