"""How likely the answers are that respect a preference, and those that violate it, under each way of knowing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from steering.calibration.harm import reply_text
from steering.calibration.heldout import HeldOut
from steering.evaluation.following.names import BOTH, STATED, VECTOR
from steering.evaluation.following.people import Follower, Preference
from steering.evaluation.following.profile import Learned, ProfileMaker
from steering.evaluation.names import DESCRIPTION, OTHER_PERSON, RANDOM, UNSTEERED
from steering.models.batches import ScoredText
from steering.prompts import description_system, render_prompt, tokenize_text, well_formed

System = Callable[[Preference], str]
DESCRIPTION_ROOM = 400
"""Tokens that are kept free for a description, whose length is not known before it is made."""


@dataclass(frozen=True, slots=True)
class Scores:
    """NLL of every option as the reply to its question, nats/token, by preference; KL on neutral replies in nats.

    The KL is None where each question has a prompt of its own.
    """

    nlls: tuple[tuple[float, ...], ...]
    kl: float | None


class Following:
    """One person, measured with their own profile and with somebody else's."""

    def __init__(self, maker: ProfileMaker, follower: Follower, profile: Learned, seed: int) -> None:
        """`profile` is what was learned from the follower's statements; `seed` is of the random vector."""
        self._maker, self._follower, self._profile, self._seed = maker, follower, profile, seed

    def measure(self, method: str, another: Learned | None = None) -> Scores:
        """The method; `another` is the profile of somebody else, for `other-person`.

        Raises: ValueError: no such method.
        """
        own = self._profile
        if method == UNSTEERED:
            return Scores(self._nlls(self._plain, {}), 0.0)
        if method == STATED:
            return Scores(self._nlls(self._held(stated_system), {}), None)
        if method == VECTOR:
            return Scores(self._nlls(self._plain, own.directions), own.kl_vector)
        if method == RANDOM:
            directions, kl = self._maker.random(f"{self._seed} {self._follower.user_id}")
            return Scores(self._nlls(self._plain, directions), kl)
        if method == DESCRIPTION:
            return Scores(self._nlls(self._described(own), {}), own.kl_description)
        profile = another if method == OTHER_PERSON else own
        if method not in (BOTH, OTHER_PERSON) or not profile:
            raise ValueError(f"no such method: {method}")
        return Scores(self._nlls(self._described(profile), profile.directions), profile.kl_both)

    def _described(self, profile: Learned) -> HeldOut:
        system = description_system(profile.description)
        return self._held(lambda _: system)

    @cached_property
    def _plain(self) -> HeldOut:
        return self._held(lambda _: "")

    def _held(self, system: System) -> HeldOut:
        estimator = self._maker.estimator
        texts = [
            option_text(estimator.tokenizer, preference, option, system(preference))
            for preference in self._follower.preferences
            for option in preference.options
        ]
        return HeldOut(estimator.network, texts, min(self._maker.blocks))

    def _nlls(self, held: HeldOut, directions: Mapping[int, Tensor]) -> tuple[tuple[float, ...], ...]:
        found = held.nll(directions)
        each = iter((found.sums / found.tokens).tolist())
        return tuple(tuple(next(each) for _ in one.options) for one in self._follower.preferences)


def stated_system(preference: Preference) -> str:
    """The preference that the question is about, in the person's words."""
    return f"The person you write for has told you: “{well_formed(preference.statement)}” Keep to it in your answer."


def option_text(tokenizer: object, preference: Preference, option: str, system: str) -> ScoredText:
    """An option as the reply to the whole question."""
    return reply_text(tokenizer, well_formed(preference.question), well_formed(option), system)


def longest_prompt(tokenizer: object, preference: Preference) -> int:
    """Tokens that a preference takes at most, as the longest of its options is read after the longest prompt."""
    asked = render_prompt(tokenizer, well_formed(preference.question), stated_system(preference))
    options = (tokenize_text(tokenizer, well_formed(option))[0] for option in preference.options)
    return len(asked) + max(map(len, options)) + DESCRIPTION_ROOM
