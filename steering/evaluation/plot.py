"""Gain against harm as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from steering.evaluation.names import STEERX


def draw(found: Mapping[str, Any], stem: Path) -> tuple[Path, Path]:
    """Write `stem.png` and `stem.svg`: a curve for each vector over its KL, a point for what is only a prompt.

    `found` is the outcome as it is written to JSON; nothing else is needed.

    Raises: OSError: the files cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    colours = {name: f"C{i % 10}" for i, name in enumerate(sorted({_backbone(name) for name in found["methods"]}))}
    for name, method in found["methods"].items():
        points = method["curve"] or [method]
        gains = [point["gain_mean"] for point in points]
        # Of one person there is no interval.
        ends = [point["gain_ci"] or (point["gain_mean"],) * 2 for point in points]
        axes.errorbar(
            [point["kl_neutral"] for point in points],
            gains,
            yerr=[
                [max(0.0, gain - low) for gain, (low, _) in zip(gains, ends, strict=True)],
                [max(0.0, high - gain) for gain, (_, high) in zip(gains, ends, strict=True)],
            ],
            label=name,
            color=colours[_backbone(name)],
            linestyle="-" if name.startswith(STEERX) else "--",
            marker="o" if name.startswith(STEERX) else "s",
            capsize=2,
        )
    axes.axhline(0.0, color="grey", linewidth=0.5)
    axes.set_xlabel("KL on neutral replies, nats")
    axes.set_ylabel("gain on unseen texts of the person, nats/token")
    axes.set_title(f"{found['people']} people, {found['model']}")
    figure.legend(loc="outside right upper", fontsize="small")
    files = stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.svg")
    for file in files:
        figure.savefig(file)
    return files


def _backbone(name: str) -> str:
    return name.removeprefix(STEERX)
