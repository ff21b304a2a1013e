"""What was measured: the gain in plain words, and every harm against its limit."""

from __future__ import annotations

from textual.content import Content

from assistant.figures import count
from assistant.records import MAX_ACCURACY_DROP, MAX_KL, MAX_NLL_RISE, MAX_REPLY_CHANGE, Harm, Outcome
from assistant.visible import sanitise
from tui.figures import likelier

NAME_WIDTH, VALUE_WIDTH = 34, 16


def gain_text(outcome: Outcome) -> Content:
    """How much likelier the person's own words became, what other vectors give, and what stood in the way."""
    parts = []
    if not outcome.recommended:
        said = sanitise(outcome.reason)
        parts.append(Content.assemble(("◇ Nothing is switched on by itself: ", "bold $text-warning"), said))
    if outcome.recommended or outcome.form != "none":
        parts.append(_measured(outcome))
    if outcome.limitation:
        parts.append(Content.assemble(("△ ", "$text-warning"), f"It was {sanitise(outcome.limitation)}."))
    return Content("\n").join(parts)


def _measured(outcome: Outcome) -> Content:
    gain, (low, high) = outcome.gain_nats_per_token, outcome.gain_interval
    sure = "" if low > 0 else " The interval touches zero, so this may be chance."
    whose = "kept aside, replies you liked among them" if outcome.held_back_liked else "of yours kept aside"
    return Content.assemble(
        ("◆ ", "$text-success" if gain > 0 else "dim"),
        f"On {count(outcome.held_back, 'text')} {whose}, each token became ",
        (f"{abs(likelier(gain)):.1f} % {'likelier' if gain > 0 else 'less likely'}", "bold"),
        f".{sure}\n",
        (f"  {gain:+.3f} nats/token (95 %: {low:+.3f} to {high:+.3f})", "dim"),
        (f"\n  random vector {outcome.gain_random:+.3f} · another author's {outcome.gain_other:+.3f}", "dim"),
    )


def harm_text(harm: Harm) -> Content:
    """One line a measure: value, limit, kept or not."""
    return Content("\n").join(
        [
            _line(
                "Distance from the plain model",
                f"{harm.kl:.3f} nats",
                f"{MAX_KL} nats",
                harm.kl <= MAX_KL,
            ),
            _line(
                "Neutral texts less likely by",
                f"{harm.nll_rise:+.3f} nats",
                f"{MAX_NLL_RISE} nats",
                harm.nll_rise <= MAX_NLL_RISE,
            ),
            _line(
                "Quiz answers lost",
                f"{harm.accuracy_drop:+.1f} points",
                f"{MAX_ACCURACY_DROP:.0f} points",
                harm.accuracy_drop <= MAX_ACCURACY_DROP,
            ),
            _line(
                "Repetition",
                f"{harm.repetition_rise:+.0%}",
                f"{MAX_REPLY_CHANGE:.0%}",
                harm.credible_repetition_rise <= MAX_REPLY_CHANGE,
            ),
            _line(
                "Length of replies",
                f"{harm.length_change:+.0%}",
                f"±{MAX_REPLY_CHANGE:.0%}",
                abs(harm.credible_length_change) <= MAX_REPLY_CHANGE,
            ),
        ]
    )


def _line(name: str, value: str, limit: str, kept: bool) -> Content:
    mark = ("✓ ", "$text-success") if kept else ("✗ ", "bold $text-error")
    return Content.assemble(mark, name.ljust(NAME_WIDTH), value.rjust(VALUE_WIDTH - 4), (f"   limit {limit}", "dim"))
