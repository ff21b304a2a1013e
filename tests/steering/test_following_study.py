"""Preference following with a tiny model, against transformers' own pass."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import kl_div

from steering.calibration.tuning import NeutralReplies
from steering.evaluation.following.names import FOLLOWING
from steering.evaluation.following.people import Follower, deal, history_of, read_preferences
from steering.evaluation.following.profile import ProfileMaker
from steering.evaluation.following.study import Following, longest_prompt, option_text, stated_system
from steering.neutral import load_neutral_set
from steering.prompts import description_system
from tests.preference_lines import preference_lines


@pytest.fixture(scope="module")
def neutral() -> NeutralReplies:
    known = load_neutral_set()
    return NeutralReplies(known.prompts, tuple(text[:60] for text in known.texts[: len(known.prompts)]))


@pytest.fixture(scope="module")
def maker(estimator, tiny_chat, neutral) -> ProfileMaker:
    return ProfileMaker(estimator, tiny_chat, neutral)


@pytest.fixture(scope="module")
def followers() -> list[Follower]:
    found, _ = read_preferences("\n".join(preference_lines(1)).encode())
    return deal(list(found.values()), 4, 0)


@pytest.fixture(scope="module")
def profiles(maker, followers):
    return [maker.learned(history_of(follower.preferences)) for follower in followers]


@pytest.fixture(scope="module")
def following(maker, followers, profiles) -> Following:
    return Following(maker, followers[0], profiles[0], seed=0)


def added(directions):
    """Hooks that add the directions to the outputs of the plain model's blocks."""

    def hook(direction):
        return lambda _module, _args, output: (
            (output[0] + direction, *output[1:]) if isinstance(output, tuple) else output + direction
        )

    return {block: hook(direction) for block, direction in directions.items()}


def logprobs(model, text, directions=None):
    """Transformers' own forward pass: log-probabilities of all tokens at the text's positions."""
    handles = [model.model.layers[b].register_forward_hook(h) for b, h in added(directions or {}).items()]
    try:
        with torch.inference_mode():
            logits = model(torch.tensor([[*text.prompt_ids, *text.text_ids]])).logits
    finally:
        for handle in handles:
            handle.remove()
    return logits[0, len(text.prompt_ids) - 1 : -1].log_softmax(dim=-1)


def nlls(model, tokenizer, follower, system, directions=None):
    found = []
    for preference in follower.preferences:
        texts = [option_text(tokenizer, preference, option, system(preference)) for option in preference.options]
        rows = [logprobs(model, text, directions) for text in texts]
        found.append(
            [
                -float(row.gather(1, torch.tensor(text.text_ids)[:, None]).mean())
                for text, row in zip(texts, rows, strict=True)
            ]
        )
    return found


def test_options_are_scored_as_transformers_scores_them(following, followers, profiles, model, tokenizer):
    own, other = profiles
    said, other_said = description_system(own.description), description_system(other.description)
    expected = {
        "unsteered": nlls(model, tokenizer, followers[0], lambda _: ""),
        "preference-prompt": nlls(model, tokenizer, followers[0], stated_system),
        "description-prompt": nlls(model, tokenizer, followers[0], lambda _: said),
        "vector": nlls(model, tokenizer, followers[0], lambda _: "", own.directions),
        "both": nlls(model, tokenizer, followers[0], lambda _: said, own.directions),
        "other-person": nlls(model, tokenizer, followers[0], lambda _: other_said, other.directions),
    }
    for name, found in expected.items():
        measured = following.measure(name, other).nlls
        assert len(measured) == 4
        for row, wanted in zip(measured, found, strict=True):
            assert row == pytest.approx(wanted, abs=2e-3), name
    assert set(expected) | {"random"} == set(FOLLOWING)


def test_what_is_scored_is_the_option_after_its_question(followers, tokenizer):
    preference = followers[0].preferences[0]
    text = option_text(tokenizer, preference, preference.options[1], stated_system(preference))
    assert tokenizer.decode(text.text_ids) == preference.options[1]
    prompt = tokenizer.decode(text.prompt_ids)
    assert preference.statement in prompt and prompt.index(preference.statement) < prompt.index(preference.question)
    assert not any(option in prompt for option in preference.options)
    assert longest_prompt(tokenizer, preference) >= text.length


def test_vectors_have_the_common_kl_and_what_stands_in_the_prompt_its_own(
    following, profiles, model, tokenizer, neutral
):
    own = profiles[0]
    assert own.kl_vector == pytest.approx(0.1, rel=0.03)
    assert following.measure("random").kl == pytest.approx(0.1, rel=0.03)
    judging = neutral.judging()
    plain = [logprobs(model, text) for text in judging.scored(tokenizer)]
    described = judging.scored(tokenizer, description_system(own.description))

    def kl(texts, directions):
        steered = [logprobs(model, text, directions) for text in texts]
        rows = [kl_div(q, p, reduction="none", log_target=True).sum(1) for p, q in zip(plain, steered, strict=True)]
        return float(torch.cat(rows).mean())

    assert own.kl_vector == pytest.approx(kl(judging.scored(tokenizer), own.directions), abs=2e-3)
    assert own.kl_description == pytest.approx(kl(described, {}), abs=2e-3)
    assert own.kl_both == pytest.approx(kl(described, own.directions), abs=2e-3)


def test_a_profile_knows_what_was_stated_and_nothing_else(maker, followers, profiles):
    """With other questions and options it is the same to the bit; with another statement it is not."""
    asked = [replace(one, question="Why?", options=("x", "y"), right=1) for one in followers[0].preferences]
    again = maker.learned(history_of(asked))
    assert again.description == profiles[0].description
    assert all(torch.equal(again.directions[block], d) for block, d in profiles[0].directions.items())
    said = [replace(one, statement=f"Oh! {one.statement} Really?") for one in followers[0].preferences]
    assert maker.learned(history_of(said)).description != again.description


def block_output(model, text, block):
    """Mean over the text's positions of what the plain model's block gives."""
    seen = []
    handle = model.model.layers[block].register_forward_hook(
        lambda _module, _args, output: seen.append(output[0] if isinstance(output, tuple) else output)
    )
    with torch.inference_mode():
        model(torch.tensor([[*text.prompt_ids, *text.text_ids]]))
    handle.remove()
    return seen[0].view(-1, seen[0].shape[-1])[len(text.prompt_ids) :].mean(dim=0)


def test_the_vector_is_what_the_description_does_to_neutral_replies(profiles, model, tokenizer, neutral):
    system = description_system(profiles[0].description)
    pairs = list(zip(*(neutral.choosing().scored(tokenizer, said) for said in (system, "")), strict=True))
    for block, direction in profiles[0].directions.items():
        moved = [block_output(model, said, block) - block_output(model, plain, block) for said, plain in pairs]
        assert torch.cosine_similarity(torch.stack(moved).mean(dim=0), direction, dim=0) > 0.98


def test_random_vectors_are_of_seed_and_person(maker, followers, profiles):
    first, again, seeded = (Following(maker, followers[0], profiles[0], seed).measure("random") for seed in (0, 0, 1))
    other = Following(maker, replace(followers[0], user_id="x"), profiles[0], 0).measure("random")
    assert first.nlls == again.nlls and first.nlls != seeded.nlls and first.nlls != other.nlls


def test_an_unknown_method_and_nobody_else_are_refused(following):
    for name in ("dream", "other-person"):
        with pytest.raises(ValueError, match=name):
            following.measure(name)
