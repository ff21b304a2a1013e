"""The cut at a block holds for every model family, with its own attention masks, norms and caps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from steering.models.network import Network
from tests.steering.oracles import make_directions, make_texts

SIZES = {
    "vocab_size": 279,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
}
SHORT_WINDOW = {"sliding_window": 8}
FAMILIES: dict[str, dict[str, Any]] = {
    "Llama": {},
    "Mistral": SHORT_WINDOW,
    "Qwen2": {"use_sliding_window": True, "max_window_layers": 2, **SHORT_WINDOW},
    "Qwen3": {},
    "Phi3": {},
    "Gemma2": {"final_logit_softcapping": 2.0, "query_pre_attn_scalar": 8, **SHORT_WINDOW},
    "Gemma3": {"query_pre_attn_scalar": 8, "layer_types": ["sliding_attention", "full_attention"] * 2, **SHORT_WINDOW},
    "GPT2": {"n_positions": 256, "n_embd": 32, "n_layer": 4, "n_head": 4},
}


def make_model(family: str) -> Any:
    torch.manual_seed(1)
    name = "Gemma3Text" if family == "Gemma3" else family
    sizes = {"vocab_size": 279} if family == "GPT2" else SIZES
    config = getattr(transformers, f"{name}Config")(**sizes, **FAMILIES[family])
    kind = "GPT2LMHeadModel" if family == "GPT2" else f"{family}ForCausalLM"
    made = getattr(transformers, kind)(config).eval()
    for parameter in made.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.15)
    return made


@pytest.mark.parametrize("family", FAMILIES)
@torch.inference_mode()
def test_steered_and_batched_equals_a_hook_on_one_text_at_a_time(family):
    model = make_model(family)
    network = Network(model)
    texts = make_texts(5, seed=2)
    (direction,) = make_directions(1, norm=2.0, width=network.width).values()
    rows = network.rows_by_text(network.prepare(texts, 1), {1: direction})

    def add(_module: object, _args: object, output: Any) -> Any:
        return (output[0] + direction, *output[1:]) if isinstance(output, tuple) else output + direction

    handle = network.blocks[1].register_forward_hook(add)
    for text, found in zip(texts, rows, strict=True):
        ids = torch.tensor([text.prompt_ids + text.text_ids])
        expected = model(input_ids=ids, use_cache=False).logits[0, len(text.prompt_ids) - 1 : -1]
        torch.testing.assert_close(network.logits(found), expected, atol=1e-4, rtol=0)
    handle.remove()
