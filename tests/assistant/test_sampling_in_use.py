"""What was set for a model, else for all models, else what its family likes, else the defaults."""

from __future__ import annotations

import pytest
import tomlkit

from assistant.errors import SettingsError
from assistant.models.families import family_sampling
from assistant.models.header import ModelHeader
from assistant.settings import SamplingSettings, Settings, load_settings, save_setting
from tests.tiny_models import write_tiny_model


def header(name: str, architecture: str) -> ModelHeader:
    return ModelHeader(name, architecture, 24, 896, 151_936, 32_768, True, "Q4_K_M", 0, 0)


def test_the_nearer_setting_counts():
    settings = Settings.model_validate(
        {"sampling": {"temperature": 0.3, "top_k": 7}, "models": {"a.gguf": {"top_k": 9}, "b.gguf": {"min_p": 0.2}}}
    )
    family = {"temperature": 1.0, "top_p": 0.8}
    for model, top_k, min_p in (("a.gguf", 9, 0.05), ("b.gguf", 7, 0.2), ("c.gguf", 7, 0.05)):
        found = settings.sampling_of(model, family)
        assert (found.temperature, found.top_p) == (0.3, 0.8)
        assert (found.top_k, found.min_p) == (top_k, min_p)
    assert Settings().sampling_of("a.gguf", {}) == SamplingSettings()


def test_every_family_gives_values_that_are_allowed():
    models = [
        ("Qwen2.5 Coder 0.5B Instruct", "qwen2"),
        ("DeepSeek-R1-Distill-Qwen-1.5B", "qwen2"),
        ("Qwen3 4B", "qwen3"),
        ("Gemma 3 270m It", "gemma3"),
        ("Llama 3.2 1B Instruct", "llama"),
    ]
    found = [SamplingSettings(**family_sampling(header(*model))) for model in models]
    assert [(one.temperature, one.top_p, one.top_k) for one in found] == [
        (0.7, 0.8, 20),
        (0.6, 0.95, 40),
        (0.6, 0.95, 20),
        (1.0, 0.95, 64),
        (0.6, 0.9, 40),
    ]
    assert family_sampling(header("SmolLM2 135M Instruct", "llama")) == {}


def test_a_value_of_one_model_is_written_beside_what_is_there_and_taken_out_again(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text("# mine\n[sampling]\ntop_k = 5\n")
    saved = save_setting(path, "models", "top_k", 9, "a model.Q4.gguf")
    assert saved.models["a model.Q4.gguf"].top_k == 9
    assert path.read_text().startswith("# mine\n[sampling]\ntop_k = 5\n")
    assert load_settings(path) == saved
    save_setting(path, "models", "temperature", 0.1, "another.gguf")
    gone = save_setting(path, "models", "top_k", None, "a model.Q4.gguf")
    assert gone.sampling_of("a model.Q4.gguf", {}).top_k == 5
    assert gone.models["another.gguf"].temperature == 0.1
    with pytest.raises(SettingsError, match="top_p"):
        save_setting(path, "models", "top_p", 7.0, "another.gguf")
    assert load_settings(path) == gone


async def test_it_belongs_to_the_model_in_use(assistant, tmp_path):
    assistant.change_sampling("top_k", 3)
    assert (assistant.sampling.top_k, assistant.sampling.temperature) == (3, 0.0)
    assert assistant.sampling_defaults.top_k == 40
    name = assistant.model.path().name
    assert tomlkit.parse(assistant.paths.settings.read_text())["models"][name]["top_k"] == 3
    assistant.change_setting("model", "path", str(write_tiny_model(tmp_path / "other.gguf")))
    assert assistant.sampling.top_k == 40
    assistant.change_setting("model", "path", str(tmp_path / "none.gguf"))
    assert assistant.sampling.temperature == 0.0
