"""build_profile: the stages of a rebuild in order, with progress; what is scored is handed over as it comes.

The items are split by age. The newest quarter is held back and chooses nothing: the gain is measured on it. Of the
rest the newer ones tune (method, block, dose, form) and the older ones make the vectors that are tuned. The vector
that ships is then made from all items with the chosen settings, at the same KL as the one whose gain was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from steering.backbones import BACKBONES
from steering.backbones.base import Example
from steering.calibration.another_author import AnotherAuthor
from steering.calibration.finish import Finisher, Measured, Shipped, as_control_vector, ship_best_form
from steering.calibration.split import Split, for_phrases_only, split_items
from steering.calibration.tuning import candidate_count, choose_settings
from steering.calibration.verdict import verdict
from steering.calibration.wording import Descriptions, best_description
from steering.control_vector import ControlVector
from steering.effects.history import EffectKey
from steering.effects.phrases import rank_phrases
from steering.effects.selection import preference_tokens
from steering.effects.token_effects import TokenEffects
from steering.items import OWN_WORDS, PreferenceItem
from steering.learning import OnEffects, ScoredHistory, neutral_replies, own_replies, score_history
from steering.material import LEARNED_TOKENS, examples
from steering.models.chat_model import ChatModel
from steering.models.estimator import Estimator
from steering.neutral import load_neutral_set
from steering.parity import check_parity
from steering.profile import Form, Harm, KeptVector, LeftOut, Outcome, Phrase
from steering.progress import OnProgress, StageClock

CHOOSING_CONTRASTS, CONTRASTED_ITEMS = 8, 16
"""Texts that the model answers itself, for methods that learn from the difference, while such a method is compared and
once it is chosen: a mean needs no more."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a rebuild works on.

    Attributes:
        items: everything to learn from.
        cached: effects that need no scoring.
        vetoed_phrases: never taken for a preference.
        description: the person's own words; no other description is written then.
        neutral_replies: the chat model's unsteered replies to the neutral prompts, where they are known.
        another_author: the vector of neutral texts that the last rebuild kept.
    """

    items: Sequence[PreferenceItem]
    cached: Mapping[EffectKey, TokenEffects] = field(default_factory=dict)
    vetoed_phrases: Sequence[str] = ()
    description: str | None = None
    neutral_replies: Sequence[str] = ()
    another_author: KeptVector | None = None


@dataclass(frozen=True, slots=True)
class BuiltProfile:
    """The outcome, the vector (None where nothing helped), and what is neutral and kept for the next rebuild."""

    outcome: Outcome
    vector: ControlVector | None
    neutral_replies: tuple[str, ...]
    another_author: KeptVector | None


def build_profile(
    request: Request,
    load: Callable[[], Estimator],
    chat: ChatModel,
    on_progress: OnProgress,
    on_effects: OnEffects,
) -> BuiltProfile:
    """Learn a profile from the items.

    Raises: SteeringError: too few items, an unusable estimator, or an estimator that is not the chat model.
    """
    clock = StageClock(on_progress)
    split = split_items(request.items)
    neutral_set = load_neutral_set()
    with clock.stage("model"):
        estimator = load()
        network, tokenizer = estimator.network, estimator.tokenizer
        check_parity(estimator, chat)
    with clock.stage("effects", len(request.items)) as done:
        history = score_history(estimator, request.items, request.cached, on_effects, done)
    unlearnable = for_phrases_only(request.items, split)

    def phrases_of(items: Sequence[PreferenceItem]) -> tuple[Phrase, ...]:
        """Phrases of texts, and of what is only to be read for phrases."""
        return rank_phrases([*unlearnable, *items], history.effects, vetoed=request.vetoed_phrases)

    contrasted = split.fit[-CHOOSING_CONTRASTS:]
    with clock.stage("replies", len(neutral_set.prompts) + len(contrasted)) as done:
        neutral = neutral_replies(chat, request.neutral_replies, done)
        negatives = own_replies(chat, tokenizer, contrasted, lambda n: done(len(neutral_set.prompts) + n))
    with clock.stage("description"):
        if request.description is not None:
            said = Descriptions(*[request.description] * 3)
        else:
            said = best_description(estimator, chat, split, phrases_of, request.vetoed_phrases)

    def learned(items: Sequence[PreferenceItem]) -> list[Example]:
        return examples(tokenizer, items, history.effects, negatives, request.vetoed_phrases)

    own_words = request.description is not None
    with clock.stage("calibration", candidate_count(network)) as done:
        made = learned(split.fit)
        choice = choose_settings(estimator, made, split.tune, neutral, said.choosing, done, own_words=own_words)
    with clock.stage("vector"):
        if BACKBONES[choice.candidate.method].needs_negatives:
            negatives |= own_replies(chat, tokenizer, _unanswered(split, negatives), lambda _: None)
        another = AnotherAuthor(estimator, neutral.judging(), request.another_author)
        finisher = Finisher(estimator, choice, neutral, said, another)
        fitted = finisher.fit(learned(split.learnable))
    with clock.stage("check", len(neutral.judging().requests)) as done:
        finisher, shipped = ship_best_form(finisher, chat, fitted.candidate, done, keep_description=own_words)
    with clock.stage("held-back"):
        measured = finisher.measure(learned(split.development), split.held_back, shipped)
    outcome = _outcome(
        request,
        split,
        history,
        phrases_of(split.learnable),
        said.shipped,
        finisher.form,
        shipped,
        measured,
        clock.seconds,
        estimator,
    )
    keep_vector = outcome.form in ("vector", "both")
    if keep_vector:
        outcome = replace(outcome, influence=fitted.influence)
    vector = as_control_vector(shipped.candidate, chat.architecture) if keep_vector else None
    return BuiltProfile(outcome, vector, neutral.replies, another.kept)


def _unanswered(split: Split, known: Collection[str]) -> list[PreferenceItem]:
    """The newest items of both vectors to come that have no reply to be held against yet."""
    newest = (*split.development[-CONTRASTED_ITEMS:], *split.held_back[-CONTRASTED_ITEMS:])
    return [item for item in newest if item.id not in known]


def _outcome(
    request: Request,
    split: Split,
    history: ScoredHistory,
    phrases: tuple[Phrase, ...],
    description: str,
    form: Form,
    shipped: Shipped,
    measured: Measured,
    seconds: dict[str, float],
    estimator: Estimator,
) -> Outcome:
    harm = _harm(shipped)
    judged = verdict(len(split.measurable), form, measured, shipped)
    return Outcome(
        items=len(request.items),
        held_back=len(split.held_back),
        left_out=tuple(LeftOut(item.id, "there is no text in it") for item in request.items if not item.text.strip()),
        tokens_scored=history.tokens_scored,
        tokens_cached=history.tokens_cached,
        tokens_left_out=history.tokens_left_out,
        history_shown=history.history_shown,
        history_left_out=history.history_left_out,
        tokens_unlearned=sum(max(0, len(history.effects[item.id].starts) - LEARNED_TOKENS) for item in split.learnable),
        held_back_liked=any(item.source not in OWN_WORDS for item in split.held_back),
        preference_tokens=preference_tokens(history.effects.values()),
        phrases=phrases,
        description=description,
        description_gain=measured.description_gain,
        form=judged.form,
        method=f"steerx-{shipped.candidate.method}",
        layers=shipped.candidate.blocks,
        dose=shipped.candidate.dose,
        nll_unsteered=measured.nll_unsteered,
        nll_steered=measured.nll_steered,
        gain_nats_per_token=measured.gain,
        gain_interval=measured.interval,
        gain_random=measured.gain_random,
        gain_other=measured.gain_other,
        harm=harm,
        kl_neutral=harm.kl,
        curve=measured.curve,
        safe_strength=shipped.safe_strength,
        recommended=judged.recommended,
        reason=judged.reason,
        seconds=seconds,
        limitation=estimator.limitation,
    )


def _harm(shipped: Shipped) -> Harm:
    return Harm(
        kl=shipped.harm.kl,
        nll_rise=shipped.harm.nll_rise,
        accuracy_drop=shipped.harm.accuracy_drop,
        repetition_rise=shipped.replies.repetition_rise,
        length_change=shipped.replies.length_change,
        credible_repetition_rise=shipped.replies.credible_repetition_rise,
        credible_length_change=shipped.replies.credible_length_change,
    )
