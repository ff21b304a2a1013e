"""The process that measures preference following: one request on stdin, results on stdout as they come."""

from __future__ import annotations

import time
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
    from steering.evaluation.following.people import others_among
    from steering.evaluation.following.profile import ProfileMaker

    chat, estimator = open_models(request.setup, emit)
    subjects = request.subjects.get(estimator.fingerprint, request.subjects[""])
    emit(Learner(estimator.fingerprint, estimator.limitation))
    neutral = neutral_replies_of(request.setup, chat, emit)
    limit = min(estimator.network.context or chat.window, chat.window)
    run = _Run(ProfileMaker(estimator, chat, neutral), request, limit, emit)
    usable = {subject.key: subject for subject in subjects if run.usable(subject)}
    others = others_among(list(usable))
    for key, subject in usable.items():
        if subject.methods:
            run.measure(subject, usable.get(others.get(key, "")))
    return Evaluated()


class _Run:
    """Measures one person after the other and hands over each profile and result as soon as it is there."""

    def __init__(self, maker: ProfileMaker, request: Follow, limit: int, emit: Emit) -> None:
        self._maker, self._seed, self._limit, self._emit = maker, request.seed, limit, emit
        self._kept: dict[str, tuple[Preference, ...]] = {}
        self._learned: dict[str, Learned] = {}

    def usable(self, subject: FollowingSubject) -> bool:
        """Whether enough of the person can be read to make a profile."""
        from steering.evaluation.following.names import MIN_PREFERENCES

        return len(self._readable(subject)) >= MIN_PREFERENCES

    def measure(self, subject: FollowingSubject, other: FollowingSubject | None) -> None:
        """Measure all methods that can be: the one with another person's profile only where there is another."""
        from steering.evaluation.following.people import Follower
        from steering.evaluation.following.study import Following
        from steering.evaluation.names import OTHER_PERSON

        read = self._readable(subject)
        following = Following(self._maker, Follower(subject.user_id, read), self._profile(subject), self._seed)
        for name in subject.methods:
            whose = other if name == OTHER_PERSON else None
            if name == OTHER_PERSON and not whose:
                continue
            another = self._profile(whose) if whose else None
            self._emit(Begun(subject.user_id, name))
            started = time.monotonic()
            found = following.measure(name, another)
            names = (whose.user_id, whose.key) if whose else ("", "")
            row = (tuple(one.id for one in read), found.nlls, found.kl, time.monotonic() - started, *names)
            self._emit(FollowingResult(subject.key, subject.user_id, name, *row))

    def _profile(self, subject: FollowingSubject) -> Learned:
        """The profile, made once."""
        from steering.evaluation.following.people import history_of

        if subject.key not in self._learned and subject.profile:
            self._learned[subject.key] = self._known(subject.profile)
        if subject.key not in self._learned:
            self._emit(Begun(subject.user_id, "profile"))
            restart_peak()
            started = time.monotonic()
            self._learned[subject.key] = learned = self._maker.learned(history_of(self._readable(subject)))
            directions = {block: tuple(d.float().cpu().tolist()) for block, d in learned.directions.items()}
            kls = learned.kl_vector, learned.kl_description, learned.kl_both
            row = (learned.description, directions, *kls, time.monotonic() - started, peak_mib())
            self._emit(ProfileLearned(subject.key, subject.user_id, *row))
        return self._learned[subject.key]

    def _known(self, profile: ProfileLearned) -> Learned:
        import torch

        from steering.evaluation.following.profile import Learned

        device = self._maker.estimator.network.device
        directions = {block: torch.tensor(d, device=device) for block, d in profile.directions.items()}
        kls = profile.kl_vector, profile.kl_description, profile.kl_both
        return Learned(profile.description, directions, *kls)

    def _readable(self, subject: FollowingSubject) -> tuple[Preference, ...]:
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
