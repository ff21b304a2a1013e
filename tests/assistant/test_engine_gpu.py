"""Where llama.cpp was built to use a GPU, the whole model lies there without being asked for; else skipped."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator

import llama_cpp
import pytest

from assistant.engine.llama import LlamaModel, supports_gpu
from assistant.engine.llama import model as native
from tests.tiny_models import write_tiny_model

pytestmark = pytest.mark.skipif(not supports_gpu(), reason="no GPU that llama.cpp can use")


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What llama.cpp itself logs."""
    lines: list[str] = []
    listen = llama_cpp.llama_log_callback(lambda _level, text, _data: lines.append(text.decode("utf-8", "replace")))
    native._start_backend()
    llama_cpp.llama_log_set(listen, ctypes.c_void_p(0))
    yield lines
    llama_cpp.llama_log_set(native._log_native, ctypes.c_void_p(0))


def test_all_layers_are_offloaded_by_themselves(said, tmp_path):
    LlamaModel(write_tiny_model(tmp_path / "tiny.gguf")).close()
    (offloaded,) = re.findall(r"offloaded (\d+)/(\d+) layers to GPU", "".join(said))
    assert offloaded[0] == offloaded[1]
