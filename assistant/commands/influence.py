"""How the texts that moved a vector most are printed."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.profile.influence import Influential
from assistant.visible import one_line


def influence_lines(found: Sequence[Influential]) -> list[str]:
    """A line for each text: its share, its id, where it is from, how it begins."""
    return [
        f"{one.share:>5.1%}  {one.item_id:<12}  {one.source:<11}  {one_line(one.text, 60)}"
        + (f"  [{one.times_mean:.1f} × the mean]" if one.stands_out else "")
        + ("  [taken out]" if one.excluded else "")
        for one in found
    ]
