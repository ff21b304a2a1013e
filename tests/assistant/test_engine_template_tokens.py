"""Prompts token by token as transformers makes them, for every model at hand.

The folder that ASSISTANT_TEST_MODELS names may hold more models than the bundled one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.engine.llama import LlamaModel
from assistant.engine.protocol import Turn
from assistant.engine.templates import ChatTemplate
from assistant.models.bundled import bundled_model

FOLDER = os.environ.get("ASSISTANT_TEST_MODELS", "")
OTHERS = sorted(Path(FOLDER).glob("*.gguf")) if FOLDER else []
TURN_BY_TURN = """\
{{ bos_token }}
{%- set told = '' -%}
{%- set spoken = messages -%}
{%- if messages[0]['role'] == 'system' -%}
    {%- set told = messages[0]['content'] + '\n\n' -%}
    {%- set spoken = messages[1:] -%}
{%- endif -%}
{%- for message in spoken -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception('user and model take turns') }}
    {%- endif -%}
    {{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else 'user') + '\n' }}
    {{- told if loop.first }}{{ message['content'] | trim }}{{ '<end_of_turn>\n' }}
{%- endfor -%}
{%- if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}
"""
"""In the manner of Gemma, for base models that come without a template: the system turn joins the first user turn."""
CODE = 'def f(x: int) -> str:\n\treturn f"{x:>{8}}"  # {{ not jinja }} {% nor this %}\n\n\nprint(f(3))\n'
CONVERSATIONS = {
    "one question": ("", ["Hello there!"]),
    "system": ("You answer in rhyme.", ["What is rain?"]),
    "many turns": ("Be brief.", ["One?", "Two.", "Three?", "Four.", "Five?", "Six.", "Seven?"]),
    "white space": (
        "",
        ["  two before, a tab after\t", "\n\nlines before and after\n\n\n", " \n ", "ok", "\r\nmixed \u00a0 ends\r\n"],
    ),
    "empty lines": ("\n\nleading\n\n\n\ntrailing\n", ["a\n\n\n\nb", "c\n \n \nd", "e"]),
    "languages": ("", ["你好，世界 — 日本語と한국어", "مرحبا بالعالم", "e\u0301 ß ﬁ ǅ Ελλάδα नमस्ते"]),
    "emoji": ("🦆", ["👋🏽 👨‍👩‍👧 🏳️‍🌈", "🇩🇪🇫🇷 ☕️ ❤️‍🔥", "\U0001fae0"]),
    "code": ("You write code.", [CODE, f"```python\n{CODE}```", "<b>&amp;</b> \\n \\u00e9 $x^2$ 1234567890 ...???"]),
    "numbers and marks": (
        "",
        ["1 22 333 4444 55555 3.14159 1e-9 0x1F", "!!! ?! ,,, --- *** ___ ~~~", "'tis isn't we've I'LL"],
    ),
    "an empty message": ("", ["", "ok", "x"]),
    "nearly a mark": ("", ["<| im_end |> < start_of_turn > <|im_ end|>", "<", "|>"]),
}


class Both:
    """One model file, as the engine and as transformers read it."""

    def __init__(self, path: Path) -> None:
        from transformers import AutoTokenizer

        self.model = LlamaModel(path)
        self.tokenizer: Any = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
        self.source = self.model.chat_template or TURN_BY_TURN
        if not self.model.chat_template:
            self.tokenizer.chat_template = self.source

    def ours(self, turns: list[Turn]) -> list[int]:
        model = self.model
        template = ChatTemplate(self.source, model.begin_text, model.end_text, model.control_texts())
        parts = template.render(turns)
        return [token for part in parts for token in model.tokenize(part.text, parse_special=part.parse_special)]

    def theirs(self, turns: list[Turn]) -> list[int]:
        messages = [{"role": turn.role, "content": turn.text} for turn in turns]
        made = self.tokenizer.apply_chat_template(
            messages, tokenize=True, add_generation_prompt=True, return_dict=False
        )
        return list(made)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(None, id="bundled", marks=pytest.mark.bundled),
        *(pytest.param(path, id=path.stem) for path in OTHERS),
    ],
)
def both(request) -> Iterator[Both]:
    made = Both(request.param or bundled_model())
    yield made
    made.model.close()


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_tokens_are_those_of_transformers(both, name):
    system, said = CONVERSATIONS[name]
    turns = [Turn("system", system)] if system else []
    turns += [Turn(("user", "assistant")[index % 2], text) for index, text in enumerate(said)]
    assert both.ours(turns) == both.theirs(turns)


@pytest.mark.skipif(not FOLDER, reason="ASSISTANT_TEST_MODELS names no folder with more models")
def test_the_folder_holds_models():
    assert OTHERS, f"{FOLDER} holds no GGUF file"
