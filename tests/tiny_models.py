"""Tiny random Llama models as GGUF files, with a real byte-level BPE tokenizer; nothing is downloaded.

llama.cpp and transformers both load them. Their text is noise; their arithmetic is real.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gguf import GGUFWriter, TokenType

SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
END, TURN_END = 0, 2
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
MERGES = (
    *("t h", "th e", "Ġ the", "i n", "a n", "an d", "Ġ and", "e r", "o u", "Ġ y", "Ġy ou"),
    *("u s", "us er", "a s", "s i", "Ġ a", "l l", "h e", "he ll", "hell o"),
)


def byte_characters() -> list[str]:
    """GPT-2's printable stand-in for each of the 256 bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


def vocabulary(specials: Sequence[str] = ()) -> tuple[list[str], list[int]]:
    """Tokens and their types: control tokens, the 256 bytes, the merges, more control tokens."""
    plain = [*byte_characters(), *("".join(merge.split(" ")) for merge in MERGES)]
    kinds = [int(TokenType.CONTROL)] * len(SPECIALS) + [int(TokenType.NORMAL)] * len(plain)
    return [*SPECIALS, *plain, *specials], [*kinds, *[int(TokenType.CONTROL)] * len(specials)]


def write_tiny_model(
    path: Path,
    *,
    blocks: int = 3,
    width: int = 64,
    context: int = 2048,
    seed: int = 0,
    chat_template: str | None = CHAT_TEMPLATE,
    specials: Sequence[str] = (),
    words: str = "smollm",
) -> Path:
    """Write a random Llama model of a few hundred kilobytes; its greedy replies never end by themselves.

    `words` names the way its tokenizer tells words apart before it looks for merges.
    """
    writer = GGUFWriter(path, "llama")
    _write_header(writer, blocks, width, context, chat_template, specials)
    writer.add_tokenizer_pre(words)
    _write_tensors(writer, blocks, width, len(vocabulary(specials)[0]), np.random.default_rng(seed))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _write_header(
    writer: GGUFWriter, blocks: int, width: int, context: int, chat_template: str | None, specials: Sequence[str]
) -> None:
    tokens, kinds = vocabulary(specials)
    writer.add_name("Tiny")
    writer.add_file_type(0)
    writer.add_context_length(context)
    writer.add_embedding_length(width)
    writer.add_block_count(blocks)
    writer.add_feed_forward_length(2 * width)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_rope_dimension_count(width // 4)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(list(MERGES))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(TURN_END)
    writer.add_unk_token_id(END)
    writer.add_pad_token_id(TURN_END)
    writer.add_add_bos_token(False)
    if chat_template is not None:
        writer.add_chat_template(chat_template)


def _write_tensors(writer: GGUFWriter, blocks: int, width: int, size: int, random: np.random.Generator) -> None:
    def matrix(rows: int, columns: int) -> npt.NDArray[np.float32]:
        drawn: npt.NDArray[np.float64] = random.standard_normal((rows, columns)) / np.sqrt(columns)
        return drawn.astype(np.float32)

    ones = np.ones(width, np.float32)
    writer.add_tensor("token_embd.weight", matrix(size, width))
    head = matrix(size, width) * 3
    head[[END, TURN_END]] = 0.0
    writer.add_tensor("output.weight", head)
    writer.add_tensor("output_norm.weight", ones)
    for block in range(blocks):
        name = f"blk.{block}"
        writer.add_tensor(f"{name}.attn_norm.weight", ones)
        writer.add_tensor(f"{name}.ffn_norm.weight", ones)
        writer.add_tensor(f"{name}.attn_q.weight", matrix(width, width))
        writer.add_tensor(f"{name}.attn_k.weight", matrix(width // 2, width))
        writer.add_tensor(f"{name}.attn_v.weight", matrix(width // 2, width))
        writer.add_tensor(f"{name}.attn_output.weight", matrix(width, width))
        writer.add_tensor(f"{name}.ffn_gate.weight", matrix(2 * width, width))
        writer.add_tensor(f"{name}.ffn_up.weight", matrix(2 * width, width))
        writer.add_tensor(f"{name}.ffn_down.weight", matrix(width, 2 * width))


def write_vector(path: Path, directions: dict[int, np.ndarray], hint: str = "llama") -> Path:
    """Write a control vector as llama.cpp's own tools and repeng do."""
    writer = GGUFWriter(path, "controlvector")
    writer.add_string("controlvector.model_hint", hint)
    writer.add_uint32("controlvector.layer_count", max(directions) + 1)
    for block, direction in directions.items():
        writer.add_tensor(f"direction.{block}", direction.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
