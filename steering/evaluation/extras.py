"""Libraries that only an evaluation needs: imported when they are used, asked for before anything long is begun."""

from __future__ import annotations

from importlib.util import find_spec

from steering.errors import SteeringError

NEEDED = {
    "bm25s": "bm25s",
    "matplotlib": "matplotlib",
    "nltk": "nltk",
    "rouge_score": "rouge-score",
    "sklearn": "scikit-learn",
}
"""Names of modules, and of what installs them."""


class MissingLibraryError(SteeringError):
    """The extra `evaluation` is not installed."""


def check_libraries() -> None:
    """Find what an evaluation needs.

    Raises: MissingLibraryError: something is not installed; says how to install it.
    """
    missing = [package for module, package in NEEDED.items() if find_spec(module) is None]
    if missing:
        raise MissingLibraryError(
            f"an evaluation needs {', '.join(missing)}; install it with: pip install 'private-assistant[evaluation]'"
        )
