"""What was learned, held against the model that has just been chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assistant.figures import count
from assistant.profile.version import Profile


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be done about steering a model: use a version made for it (`version`), or rebuild (None)."""

    version: int | None
    in_use: bool


def offer_for(versions: Sequence[Profile], fingerprint: str) -> Offer:
    """The version in use where it was made for the model, else the newest that was; `versions` newest first."""
    made = [one for one in versions if one.model_fingerprint == fingerprint and one.steers]
    if not made:
        return Offer(None, False)
    best = next((one for one in made if one.in_use), made[0])
    return Offer(best.version, best.in_use)


def offer_words(offer: Offer, texts: int, expectation: str, keys: Mapping[str, str]) -> str:
    """One or two lines for the person; `expectation` is what a rebuild needs, `texts` what it would learn from."""
    if offer.in_use:
        return f"Version {offer.version}, made for this model, is in use."
    if offer.version is not None:
        return f"Version {offer.version} was made for this model: {keys['models.version']} puts it to use."
    if not texts:
        return "Nothing is learned for it yet; rate replies or bring in texts, then rebuild."
    rebuild = keys["models.rebuild"]
    return f"Nothing is learned for it yet: {rebuild} rebuilds from the same {count(texts, 'text')} ({expectation})."
