"""Whether a profile is good enough to be switched on by itself, and what the person is told."""

from __future__ import annotations

from dataclasses import dataclass

from steering.calibration.finish import Measured, Shipped
from steering.calibration.split import ENOUGH_ITEMS
from steering.profile import Form


@dataclass(frozen=True, slots=True)
class Verdict:
    """`form` is "none" where there is nothing to gain; `reason` says why it is not switched on, and what would help."""

    form: Form
    recommended: bool
    reason: str


def verdict(items: int, form: Form, measured: Measured, shipped: Shipped) -> Verdict:
    """Judge by the held-back gain, its interval and the harm budget."""
    if form == "none":
        return Verdict(
            "none", False, "nothing made the tuning texts more likely: no gain, no vector; more texts would help"
        )
    if measured.gain <= 0:
        return Verdict(
            "none", False, f"no gain on the texts held back ({measured.gain:+.3f} nats/token); more texts would help"
        )
    if not shipped.within_budget:
        return Verdict(form, False, "it changes neutral replies by more than the harm budget allows; not switched on")
    if items < ENOUGH_ITEMS:
        return Verdict(
            form, False, f"{items} texts are few to be sure (at least {ENOUGH_ITEMS}); switch it on if you like it"
        )
    if measured.interval[0] <= 0:
        return Verdict(
            form,
            False,
            "the gain may be chance (its interval spans zero); more texts would help, or switch it on and see",
        )
    return Verdict(form, True, "")
