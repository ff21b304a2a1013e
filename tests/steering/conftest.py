from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from assistant.engine.protocol import Sampling
from assistant.models.bundled import bundled_model
from assistant.rebuild.llama_chat import LlamaChat
from steering.items import PreferenceItem
from steering.models.batches import ScoredText
from steering.models.estimator import Estimator, load_estimator
from steering.models.network import Network
from tests.steering.oracles import make_items, make_texts
from tests.tiny_models import write_tiny_model


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny models are slower on more threads, by far where other processes want the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny_path(tmp_path_factory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture(scope="session")
def tokenizer(tiny_path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_path.parent, gguf_file=tiny_path.name)


def load_float32(path: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()


@pytest.fixture(scope="session")
def model(tiny_path) -> Any:
    """The plain transformers model that oracles run; the network under test has a copy of its own."""
    return load_float32(tiny_path)


@pytest.fixture(scope="session")
def network(tiny_path) -> Network:
    return Network(load_float32(tiny_path))


@pytest.fixture(scope="session")
def estimator(network, tokenizer) -> Estimator:
    return Estimator(network, tokenizer, "tiny-float32")


@pytest.fixture(scope="session")
def tiny_chat(tiny_path) -> LlamaChat:
    return LlamaChat(tiny_path, Sampling(), threads=1)


@pytest.fixture(scope="session")
def items() -> list[PreferenceItem]:
    return make_items()


@pytest.fixture(scope="session")
def texts() -> list[ScoredText]:
    return make_texts(9, seed=5)


@pytest.fixture(scope="session")
def bundled_path() -> Path:
    path = bundled_model()
    assert path is not None, "install the extra `bundled`"
    return path


@pytest.fixture(scope="session")
def bundled_estimator(bundled_path, tmp_path_factory) -> Estimator:
    return load_estimator(bundled_path, tmp_path_factory.mktemp("estimators"), "bundled")


@pytest.fixture(scope="session")
def bundled_tokenizer(bundled_estimator) -> Any:
    return bundled_estimator.tokenizer


@pytest.fixture(scope="session")
def bundled_chat(bundled_path) -> LlamaChat:
    return LlamaChat(bundled_path, Sampling(), threads=1)
