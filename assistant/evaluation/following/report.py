"""From results of preference following to the outcome: all that the table shows, and what it is made from."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from assistant.evaluation.following.runner import following_of
from assistant.evaluation.following_protocol import FollowingResult
from assistant.evaluation.report import circumstances
from assistant.evaluation.results import Results
from steering.evaluation.following.names import BOTH, EACH, PREFERENCES_VERSION, STATED, VECTOR
from steering.evaluation.following.people import Follower, follower_key
from steering.evaluation.following.summary import Ranked, differences, following, ranked
from steering.evaluation.lines import LeftOutLine
from steering.evaluation.names import DESCRIPTION, OTHER_PERSON, RANDOM
from steering.evaluation.summary import mean_of

COMPARED = ((BOTH, OTHER_PERSON), (VECTOR, RANDOM), (BOTH, DESCRIPTION), (STATED, BOTH))


def following_outcome(
    people: Sequence[Follower],
    results: Results,
    left_out: Sequence[LeftOutLine],
    *,
    model: str,
    fingerprint: str,
    seed: int,
) -> dict[str, Any]:
    """What `--json` writes; `people` have all methods but perhaps `other-person`."""
    rows: dict[str, dict[str, FollowingResult]] = {}
    figures: dict[str, dict[str, Ranked]] = {}
    known = following_of(people, results)
    for person in people:
        for name, row in known[person.user_id].items():
            rows.setdefault(name, {})[person.user_id] = row
            figures.setdefault(name, {})[person.user_id] = _ranked(person, row)
    methods = {
        name: {
            **found,
            "kl_neutral": mean_of([row.kl for row in rows[name].values()]),
            "seconds": fmean(row.seconds for row in rows[name].values()),
            "by_person": [_person(row, figures[name][user]) for user, row in rows[name].items()],
        }
        for name, found in following(figures).items()
    }
    keys = [follower_key(person) for person in people]
    profiles = [results.profiles[key] for key in keys if key in results.profiles]
    return {
        **circumstances(len(people), left_out, results.learner, model=model, fingerprint=fingerprint, seed=seed),
        "each": EACH,
        "pairs_scored": sum(one.pairs for one in figures[BOTH].values()),
        "preferences_version": PREFERENCES_VERSION,
        "profile": {
            "seconds": mean_of([profile.seconds for profile in profiles]),
            "peak_mib": mean_of([profile.peak_mib for profile in profiles]),
            "by_person": [{"user_id": one.user_id, "description": one.description} for one in profiles],
        },
        "methods": methods,
        "differences": differences(figures, COMPARED),
    }


def _ranked(person: Follower, row: FollowingResult) -> Ranked:
    rights = {one.id: one.right for one in person.preferences}
    return ranked(row.nlls, [rights[item_id] for item_id in row.item_ids])


def _person(row: FollowingResult, figures: Ranked) -> dict[str, Any]:
    items = dict(zip(row.item_ids, row.nlls, strict=True))
    own = {"user_id": row.user_id, "share_right": figures.share, "margin": figures.margin, "pairs": figures.pairs}
    return {**own, "kl_neutral": row.kl, "other": row.other, "seconds": row.seconds, "nlls": items}
