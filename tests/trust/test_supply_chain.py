"""What is installed is what was looked at: every package locked with its hashes, and no file format that runs code."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("assistant", "steering", "storage", "tui")
LOCKS = ("run", "test", "build", "bundled")
DANGEROUS = {
    *("pickle", "marshal", "shelve", "dill", "joblib"),
    *("eval", "exec", "torch.load", "numpy.load", "np.load", "yaml.load", "os.system", "os.popen"),
}


def locked(name: str) -> dict[str, tuple[Version, list[str]]]:
    """Version and hashes by package."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text().replace("\\\n", " ")
    found = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        pinned = re.fullmatch(r"([A-Za-z0-9._-]+)==(\S+)((?: +--hash=sha256:[0-9a-f]{64})+)", line)
        assert pinned, line[:100]
        found[canonicalize_name(pinned[1])] = Version(pinned[2]), re.findall("[0-9a-f]{64}", pinned[3])
    return found


def wanted(*extras: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    return [Requirement(line) for line in lines if not line.startswith("private-assistant")]


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_has_one_version_and_its_hashes(name: str):
    assert all(hashes for _, hashes in locked(name).values())


@pytest.mark.parametrize(("name", "extras"), [("run", ()), ("test", ("test", "evaluation")), ("bundled", ("bundled",))])
def test_the_lock_is_within_the_ranges_of_the_project(name: str, extras: tuple[str, ...]):
    found = locked(name)
    for requirement in wanted(*extras) if name != "bundled" else wanted("bundled")[-1:]:
        version, _ = found[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version.public), requirement


def test_tests_run_on_the_versions_that_are_used():
    used, tested = locked("run"), locked("test")
    assert locked("torch") == {"torch": used["torch"]}
    assert {name for name in used if tested[name] != used[name]} == set()


def test_no_client_of_an_online_service_is_installed():
    assert (
        set(locked("run")) & {"openai", "anthropic", "llm", "sentry-sdk", "posthog", "wandb", "google-genai"} == set()
    )


def sources() -> list[Path]:
    return [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]


def test_nothing_of_ours_reads_a_format_that_runs_code_or_starts_a_shell():
    found = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Call):
                names = [ast.unparse(node.func)]
                names += ["shell" for word in node.keywords if word.arg == "shell"]
            found += [(path.name, name) for name in names if name in DANGEROUS or name == "shell"]
    assert found == []


def test_models_are_loaded_from_safetensors_without_code_of_theirs():
    loads = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".from_pretrained"):
                loads.append((path.name, {word.arg: ast.unparse(word.value) for word in node.keywords}))
    assert loads
    for name, words in loads:
        assert words.get("trust_remote_code", "False") == "False", name
        # A GGUF file is read by number and text alone; anything else must be safetensors.
        assert "gguf_file" in words or words.get("use_safetensors", "True") == "True", name
