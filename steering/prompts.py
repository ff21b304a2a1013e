"""How a text and what precedes it become token ids: the model's own chat template, applied once.

The reply's tokens are tokenized apart from the prompt, as the model itself would write them, so that the
scored tokens are exactly the text's own and never the template's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

PLAIN_TEMPLATE = """{{ bos_token }}{% for message in messages %}
{% if message.role == 'system' %}{{ message.content }}

{% elif message.role == 'user' %}User: {{ message.content }}

{% else %}Assistant: {{ message.content }}

{% endif %}
{% endfor %}
{% if add_generation_prompt %}Assistant:{% endif %}"""
"""Chat template (Jinja) of models that have none."""

UNPROMPTED_REQUEST = "Write a text."
"""Stands in for the request where a text answers nobody."""

_UNTOKENIZABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\U00040000-\U000bffff]")


def render_prompt(tokenizer: Any, request: str, system: str = "") -> tuple[int, ...]:
    """Token ids up to where the reply begins; a model without a chat template gets PLAIN_TEMPLATE."""
    turns = [{"role": "user", "content": request or UNPROMPTED_REQUEST}]
    if system:
        turns.insert(0, {"role": "system", "content": system})
    rendered = tokenizer.apply_chat_template(
        turns, chat_template=tokenizer.chat_template or PLAIN_TEMPLATE, tokenize=False, add_generation_prompt=True
    )
    return tuple(tokenizer(rendered, add_special_tokens=False)["input_ids"])


def end_of_turn(tokenizer: Any) -> int | None:
    """The token that the model ends its reply with: what its chat template puts after one; None where there is none."""
    reply = "Yes"
    turns = [{"role": "user", "content": UNPROMPTED_REQUEST}, {"role": "assistant", "content": reply}]
    rendered = tokenizer.apply_chat_template(
        turns, chat_template=tokenizer.chat_template or PLAIN_TEMPLATE, tokenize=False
    )
    after = tokenizer(rendered.rpartition(reply)[2].lstrip(), add_special_tokens=False)["input_ids"]
    closing = after[0] if after and after[0] in tokenizer.all_special_ids else tokenizer.eos_token_id
    return None if closing is None else int(closing)


def tokenize_text(tokenizer: Any, text: str) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """Token ids of a text and the characters `start:end` each one covers.

    A character spelled with several tokens belongs to the first of them; the others cover nothing (start = end).
    What looks like a control token ("<|im_end|>") stays text.
    """
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=True)
    spans: list[tuple[int, int]] = []
    covered = 0
    for start, end in encoded["offset_mapping"]:
        spans.append((max(start, covered), max(end, covered)))
        covered = max(covered, end)
    return tuple(encoded["input_ids"]), tuple(spans)


def well_formed(text: str) -> str:
    """The text without surrogates, control characters (tabs and line ends stay) and unassigned planes, one for one.

    No tokenizer takes the first; the bundled model's drops bytes of the others, which shifts all later offsets.
    """
    return _UNTOKENIZABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def shortened_request(tokenizer: Any, request: str, limit: int) -> str:
    """The end of a long request (what is asked mostly stands last), cut at a token boundary."""
    cleaned = well_formed(request)
    _, spans = tokenize_text(tokenizer, cleaned)
    return cleaned if len(spans) <= limit else cleaned[spans[-limit][0] :]


def history_text(pairs: Iterable[tuple[str, str]]) -> str:
    """The slot `h` of the estimator's system prompt: (request, text) of earlier items, oldest first."""
    return "\n\n".join(f"Request: {request}\nAnswer: {text}" if request else f"Text: {text}" for request, text in pairs)


def history_system(history: str) -> str:
    """The system prompt of both sides of an effect; without history the slot says "none"."""
    return f"Earlier texts by the same person:\n\n{history or '(none)'}\n\nWrite the next one as this person would."


def description_system(description: str) -> str:
    """The description as it stands in a system prompt; empty for none."""
    return f"You write for one person and in their own way. {description}" if description.strip() else ""
