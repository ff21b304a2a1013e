"""A model in several files is the same model: its converted weights are those of the whole one, bit for bit."""

from __future__ import annotations

import pytest
import torch
from gguf import GGUFWriter

from steering.errors import EstimatorError
from steering.models.estimator import load_estimator
from steering.models.splits import parts
from tests import tiny_models
from tests.tiny_models import write_tiny_model


class SplittingWriter(GGUFWriter):
    """The gguf package's own way to split a model."""

    def __init__(self, path, architecture):
        super().__init__(path, architecture, split_max_tensors=10)


@pytest.fixture
def split(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(tiny_models, "GGUFWriter", SplittingWriter)
        (tmp_path / "split").mkdir()
        write_tiny_model(tmp_path / "split" / "tiny.gguf")
    return tmp_path / "split" / "tiny-00001-of-00003.gguf"


def weights(folder):
    (path,) = folder.glob("*.safetensors")
    from safetensors.torch import load_file

    return load_file(path)


def test_weights_are_those_of_the_whole_model(tmp_path, split):
    whole = write_tiny_model(tmp_path / "whole.gguf")
    load_estimator(whole, tmp_path / "cache", "whole")
    load_estimator(split, tmp_path / "cache", "split")
    expected, found = (weights(tmp_path / "cache" / name) for name in ("whole", "split"))
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert not list((tmp_path / "cache").rglob("*.gguf"))


def test_a_missing_part_is_told(tmp_path, split):
    parts(split)[2].unlink()
    with pytest.raises(EstimatorError, match="cannot be converted"):
        load_estimator(split, tmp_path / "cache", "split")
    assert not list((tmp_path / "cache").rglob("*.gguf"))
