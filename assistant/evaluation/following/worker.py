"""The process that measures preference following: one request on stdin, results on stdout as they come."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from assistant.evaluation.following_protocol import Follow, FollowingResult, FollowingSubject, ProfileLearned
from assistant.evaluation.loading import Emit, neutral_replies_of, open_models
from assistant.evaluation.protocol import Begun, Evaluated, EvaluationFailed, Learner, TooLong
from assistant.evaluation.worker import peak_mib, restart_peak
from assistant.one_task import learn

if TYPE_CHECKING:
    from steering.evaluation.following.people import Preference
    from steering.evaluation.following.profile import Learned, ProfileMaker


def main() -> None:
    """Carry out the one request."""
    learn((Follow,), _follow, EvaluationFailed)


def _follow(request: Follow, emit: Emit) -> Evaluated:
    from steering.evaluation.following.profile import ProfileMaker

    chat, estimator = open_models(request.setup, emit)
    subjects = request.subjects.get(estimator.fingerprint, request.subjects[""])
    emit(Learner(estimator.fingerprint, estimator.limitation))
    neutral = neutral_replies_of(request.setup, chat, emit)
    limit = min(estimator.network.context or chat.window, chat.window)
    run = _Run(ProfileMaker(estimator, chat, neutral), request, limit, emit)
    for place, subject in enumerate(subjects):
        if subject.methods:
            run.measure(subject, subjects[place - 1 if place else 1 : place or 2])
    return Evaluated()


class _Run:
    """Measures one person after the other and hands over each profile and result as soon as it is there."""

    def __init__(self, maker: ProfileMaker, request: Follow, limit: int, emit: Emit) -> None:
        self._maker, self._seed, self._limit, self._emit = maker, request.seed, limit, emit
        self._kept: dict[str, tuple[Preference, ...]] = {}
        self._learned: dict[str, Learned] = {}

    def measure(self, subject: FollowingSubject, others: Sequence[FollowingSubject]) -> None:
        """Measure all methods that can be: the one with another person's profile only where there is another."""
        from steering.evaluation.following.people import Follower
        from steering.evaluation.following.study import Following
        from steering.evaluation.names import OTHER_PERSON

        usable, profile = self._usable(subject), self._profile(subject)
        if not profile:
            return
        following = Following(self._maker, Follower(subject.user_id, usable), profile, self._seed)
        for name in subject.methods:
            another = self._profile(others[0]) if name == OTHER_PERSON and others else None
            if name == OTHER_PERSON and not another:
                continue
            self._emit(Begun(subject.user_id, name))
            started = time.monotonic()
            found = following.measure(name, another)
            other = others[0].user_id if another else ""
            row = (tuple(one.id for one in usable), found.nlls, found.kl, time.monotonic() - started, other)
            self._emit(FollowingResult(subject.key, subject.user_id, name, *row))

    def _profile(self, subject: FollowingSubject) -> Learned | None:
        """The profile, made once; None where too little of the person is left to make one."""
        from steering.evaluation.following.people import history_of
        from steering.evaluation.following.study import MIN_PREFERENCES

        if subject.key not in self._learned and subject.profile:
            self._learned[subject.key] = self._known(subject.profile)
        usable = self._usable(subject)
        if subject.key not in self._learned and len(usable) >= MIN_PREFERENCES:
            self._emit(Begun(subject.user_id, "profile"))
            restart_peak()
            started = time.monotonic()
            self._learned[subject.key] = learned = self._maker.learned(history_of(usable))
            directions = {block: tuple(d.float().cpu().tolist()) for block, d in learned.directions.items()}
            kls = learned.kl_vector, learned.kl_description, learned.kl_both
            row = (learned.description, directions, *kls, time.monotonic() - started, peak_mib())
            self._emit(ProfileLearned(subject.key, subject.user_id, *row))
        return self._learned.get(subject.key)

    def _known(self, profile: ProfileLearned) -> Learned:
        import torch

        from steering.evaluation.following.profile import Learned

        device = self._maker.estimator.network.device
        directions = {block: torch.tensor(d, device=device) for block, d in profile.directions.items()}
        kls = profile.kl_vector, profile.kl_description, profile.kl_both
        return Learned(profile.description, directions, *kls)

    def _usable(self, subject: FollowingSubject) -> tuple[Preference, ...]:
        """The preferences that the model can read at once, with all that may stand before them."""
        from steering.evaluation.following.study import longest_prompt

        if subject.key not in self._kept:
            lengths = {one.id: longest_prompt(self._maker.estimator.tokenizer, one) for one in subject.preferences}
            for item_id, tokens in lengths.items():
                if tokens >= self._limit:
                    self._emit(TooLong(subject.key, subject.user_id, item_id, tokens, self._limit))
            self._kept[subject.key] = tuple(one for one in subject.preferences if lengths[one.id] < self._limit)
        return self._kept[subject.key]


if __name__ == "__main__":
    main()
