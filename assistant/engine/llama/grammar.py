"""A grammar that the whole reply must obey: what it does not allow is out before anything else looks at a token."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import llama_cpp
import numpy as np
from llama_cpp import llama_grammar
from numpy.typing import NDArray

from assistant.engine.llama.model import LlamaModel
from assistant.errors import EngineError

ROOT = b"root"
_TOKEN_DATA = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
"""`llama_token_data`, field by field."""


class Candidates:
    """Tokens with their logits [tokens], as llama.cpp's samplers take and change them."""

    def __init__(self, tokens: NDArray[np.int32], logits: NDArray[np.float32]) -> None:
        data = np.zeros(len(tokens), _TOKEN_DATA)
        data["id"], data["logit"] = tokens, logits
        self._hold(data)

    def _hold(self, data: NDArray[np.void]) -> None:
        first = data.ctypes.data_as(ctypes.POINTER(llama_cpp.llama_token_data))
        self._data = data
        self._array = llama_cpp.llama_token_data_array(data=first, size=len(data), selected=-1, sorted=False)

    @classmethod
    def of_vocabulary(cls, logits: NDArray[np.float32]) -> Candidates:
        """Every token, with logits [vocabulary]."""
        return cls(np.arange(len(logits), dtype=np.int32), logits)

    def apply(self, sampler: object) -> None:
        """Let a sampler or a chain of them change the logits, drop tokens or select one."""
        llama_cpp.llama_sampler_apply(sampler, ctypes.byref(self._array))

    def drop_forbidden(self) -> bool:
        """Leave out what has no finite logit, before a sampler drops or selects anything; whether any token is left."""
        self._hold(self._data[np.isfinite(self._data["logit"])])
        return len(self._data) > 0

    @property
    def selected(self) -> int:
        """The token that the last sampler selected."""
        return int(self._array.data[self._array.selected].id)


class Grammar:
    """A grammar (GBNF, root rule `root`) and how far the reply has come in it.

    It must be the program's own and not typed by anybody: llama.cpp refuses most of what is wrong, but a repetition
    {5,2} never ends and ten thousand nested brackets end the process. So does accepting a token that does not belong,
    which is why nothing is accepted here without asking first.

    Raises: EngineError: the grammar does not parse.
    """

    def __init__(self, model: LlamaModel, source: str) -> None:
        with _unlogged():
            self._sampler = llama_cpp.llama_sampler_init_grammar(model._vocab, source.encode("utf-8", "replace"), ROOT)
        if not self._sampler:
            raise EngineError(f"llama.cpp cannot read the grammar {source[:60]!r}; simplify it")
        self._spoken = _spoken(model)

    def close(self) -> None:
        """Give the memory back."""
        if self._sampler:
            llama_cpp.llama_sampler_free(self._sampler)
            self._sampler = None

    def allowed(self, logits: NDArray[np.float32]) -> Candidates:
        """What may come next, of logits [vocabulary].

        Raises: EngineError: no token may.
        """
        candidates = Candidates(self._spoken, logits[self._spoken])
        candidates.apply(self._sampler)
        if not candidates.drop_forbidden():
            raise EngineError("this model has no token that its grammar allows next; choose another model")
        return candidates

    def accept(self, token: int) -> None:
        """Go on by one token.

        Raises: EngineError: it does not belong here.
        """
        only = Candidates(np.array([token], np.int32), np.zeros(1, np.float32))
        only.apply(self._sampler)
        if not only.drop_forbidden():
            raise EngineError("the reply that goes on does not follow its grammar; regenerate it")
        llama_cpp.llama_sampler_accept(self._sampler, token)


class _Converter(llama_grammar.SchemaConverter):  # type: ignore[misc]  # it has no types
    """The converter that comes with llama.cpp, where it does not do what it is asked for.

    Its patterns are raw: without the quotation marks, which would be those of the first and the last alternative only.
    """

    def __init__(self) -> None:
        super().__init__(prop_order={}, allow_fetch=False, dotall=False, raw_pattern=True)

    def visit(self, schema: dict[str, Any], name: str) -> str:
        """The rule of a schema; of several types each is asked for all that the schema asks for."""
        if isinstance(types := schema.get("type"), list):
            schema = {"anyOf": [{**schema, "type": one} for one in types]}
        return str(super().visit(schema, name))

    def _format_literal(self, literal: str) -> str:
        """JSON as the models write it, letters beyond ASCII as such, but for halves of surrogate pairs."""
        spoken = json.dumps(json.loads(literal), ensure_ascii=False).encode("utf-8", "backslashreplace").decode()
        return '"' + spoken.replace("\\", r"\\").replace('"', r"\"") + '"'

    def _visit_pattern(self, pattern: str, name: str) -> str:
        spoken = super()._visit_pattern(pattern, f"{name}-spoken")
        return str(self._add_rule(name, rf'"\"" {spoken} "\"" space'))


def gbnf_of_schema(schema: str) -> str:
    """A JSON schema's text as a grammar (GBNF), by the converter that comes with llama.cpp; nothing is fetched.

    Raises: Exception: of any kind, where the converter does not know what the schema asks for.
    """
    converter = _Converter()
    converter.visit(converter.resolve_refs(json.loads(schema), "stdin"), "")
    return str(converter.format_grammar())


@contextmanager
def _unlogged() -> Iterator[None]:
    """Meanwhile native code writes to no log: of a grammar that it cannot read it writes all the text."""
    log, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(log, 2)
        os.close(log)
        os.close(nowhere)


def _spoken(model: LlamaModel) -> NDArray[np.int32]:
    """Tokens that stand for text or end a reply.

    To llama.cpp's grammars a control token is its name ("<|im_start|>"), which no reply shows.
    """
    unseen = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN
    spoken = [
        token
        for token in range(model.vocabulary)
        if not llama_cpp.llama_vocab_get_attr(model._vocab, token) & unseen or model.is_end(token)
    ]
    return np.array(spoken, np.int32)
