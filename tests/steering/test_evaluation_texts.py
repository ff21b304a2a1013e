"""Overlap, form and attribution against values worked out by hand or by the papers' formulas."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.tokenizers import DefaultTokenizer
from scipy.stats import bootstrap, sem, t

from steering.evaluation.extras import MissingLibraryError, check_libraries
from steering.evaluation.names import ALL, DEFAULT, PLAIN, ordered
from steering.evaluation.plot import draw
from steering.evaluation.summary import gains, interval, mean_of, pairs
from steering.evaluation.table import COLUMNS, markdown
from steering.evaluation.texts import WORDS, Attribution, form, overlap
from steering.words import WordTokenizer


def test_overlap_by_hand():
    found = overlap(["the cat sat"], ["the cat lay down"])
    # Two of three and of four words: precision 2/3, recall 1/2, F1 4/7; the longest common subsequence is the same.
    assert found.rouge_1 == pytest.approx(4 / 7) and found.rouge_l == pytest.approx(4 / 7)
    # METEOR (Banerjee and Lavie 2005): F = 10PR / (R + 9P), penalty 0.5 (chunks / matches)^3 with one chunk of two.
    assert found.meteor == pytest.approx((10 * (2 / 3) * 0.5 / (0.5 + 9 * 2 / 3)) * (1 - 0.5 * (1 / 2) ** 3))


def test_words_in_another_order_share_less_of_a_sequence():
    found = overlap(["d c b a"], ["a b c d"])
    assert found.rouge_1 == 1.0 and found.rouge_l == pytest.approx(1 / 4)


def test_stems_match_and_an_empty_reply_shares_nothing():
    assert overlap(["walking"], ["walked"]).meteor == pytest.approx(0.5)
    assert overlap(["", "word"], ["word", "word"]).rouge_1 == pytest.approx(0.5)


@given(st.text(st.characters(max_codepoint=127)))
def test_words_of_ascii_are_those_of_rouge_score(text):
    assert WordTokenizer().tokenize(text) == DefaultTokenizer(use_stemmer=True).tokenize(text)


@pytest.mark.parametrize(
    ("reply", "own", "expected"),
    [
        ("привет как дела", "привет как дела", 1.0),
        ("привет как ты", "Привет, как дела?", 2 / 3),
        ("für Bär", "fär Bür", 0.0),
        ("fu\u0308r", "für", 1.0),
        ("मैं रोज़ पार्क", "मैं रोज़ घर", 2 / 3),
        ("我喜欢猫。", "我喜欢狗", 3 / 4),
        ("größe", "große", 0.0),
        ("!?", "...", 0.0),
    ],
)
def test_words_of_any_language_are_counted(reply, own, expected):
    assert overlap([reply], [own]).rouge_1 == pytest.approx(expected)


@pytest.mark.parametrize(
    ("reply", "own", "matches", "words"),
    [
        ("Well, hello world!", "well hello (world)", 3, (3, 3)),
        ("“Привет”, как дела", "Привет, как дела?", 3, (3, 3)),
        ("我喜欢猫。", "我喜欢狗", 3, (4, 4)),
        ("ฉันรัก", "ฉันรัก!", 6, (6, 6)),
        ("猫が好き", "猫が好", 3, (4, 3)),
    ],
)
def test_meteor_knows_the_words_of_any_language(reply, own, matches, words):
    """All matches are one chunk."""
    precision, recall = (matches / count for count in words)
    expected = 10 * precision * recall / (recall + 9 * precision) * (1 - 0.5 * (1 / matches) ** 3)
    assert overlap([reply], [own]).meteor == pytest.approx(expected)


def test_punctuation_alone_shares_nothing():
    assert overlap(["!?", "word"], ["...", "!"]).meteor == 0.0


@pytest.mark.parametrize("word", [" w{}", "{:c}"])
def test_only_the_beginnings_are_compared(word):
    beginning = "".join(word.format(0x4E00 + i) for i in range(WORDS))
    found = overlap([beginning], [beginning + word.format(0x5E00) * 9])
    assert found.rouge_l == 1.0 and found.meteor == pytest.approx(1 - 0.5 / WORDS**3)


def test_form_by_hand():
    found = form(["a b a b", "a c"])
    assert (found.distinct_1, found.distinct_2) == (3 / 6, 3 / 4)
    assert (found.repetition, found.words) == (0.0, 3.0)
    assert form(["x " * 8]).repetition == pytest.approx(4 / 5)
    assert form(["今天，今天"]).words == 4


def test_replies_are_nearest_to_whose_style_they_have():
    histories = {
        "low": ["so yeah i dunno lol", "tbh its fine lol"],
        "loud": ["BUY IT NOW!!!", "WHAT A DAY!!!"],
        "long": ["One might, upon reflection, concede the point.", "It is, perhaps, a matter of taste."],
    }
    attribution = Attribution(histories)
    assert attribution.nearer("low", ["lol its ok tbh"]) == (True, True)
    assert attribution.nearer("loud", ["lol its ok tbh"]) == (False, False)
    with pytest.raises(ValueError, match="two people"):
        Attribution({"low": ["alone"]})


def test_an_interval_is_the_percentile_bootstrap():
    values = np.random.default_rng(1).normal(0.1, 0.05, 12)
    oracle = bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=0).confidence_interval
    assert interval(values) == pytest.approx([oracle.low, oracle.high], abs=0.003)
    with pytest.raises(ValueError):
        interval([])


def students(values: list[float]) -> list[float]:
    return list(t.interval(0.95, len(values) - 1, np.mean(values), sem(values)))


@pytest.mark.parametrize("people", [2, 3, 4, 8, 11])
def test_an_interval_of_few_people_is_students_and_covers_the_mean(people):
    drawn = np.random.default_rng(people).normal(0.1, 0.05, (1000, people))
    assert interval(drawn[0]) == pytest.approx(students(list(drawn[0])), rel=0.03)
    covered = [low <= 0.1 <= high for low, high in map(interval, drawn)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


def test_of_one_person_there_is_no_interval(tmp_path):
    method = gains([0.4]) | dict.fromkeys([key for _, key, _ in COLUMNS]) | {"by_person": [{}], "curve": []}
    assert method["gain_ci"] is None
    found = {"people": 1, "left_out": 0, "model": "m", "kl": 0.1, "methods": {"caa": method | {"kl_neutral": 0.1}}}
    found["pairs"] = pairs({"steerx-caa": {"x": 0.5}, "caa": {"x": 0.4}})
    shown = markdown(found).splitlines()
    assert "| caa | +0.400 | – | 100% | 0.100 |" in shown
    assert "| steerx-caa>caa | +0.1000 | – | 1 (1 for the first) |" in shown
    assert all(file.exists() for file in draw(json.loads(json.dumps(found)), tmp_path / "one"))


def test_pairs_are_of_the_same_people():
    gain = {"a": {"x": 0.3, "y": 0.5, "z": 9.0}, "b": {"x": 0.1, "y": 0.2}, "c": {"w": 1.0}}
    found = pairs(gain)
    assert found["a>b"]["diff"] == pytest.approx(0.25) and found["b>a"]["diff"] == pytest.approx(-0.25)
    assert found["a>b"]["people"] == 2 and "a>c" not in found
    assert found["a>b"]["ci"] == pytest.approx(students([0.2, 0.3]), rel=0.03)
    assert mean_of([None, 1.0, 3.0]) == 2.0 and mean_of([None]) is None


def test_methods_are_ordered_so_that_what_needs_another_comes_last():
    assert ordered(["other-person", "caa", "caa"]) == ("unsteered", "caa", "steerx-optimized", "other-person")
    assert set(ordered(DEFAULT)) == set(DEFAULT) and set(ordered(ALL)) == set(ALL)
    assert all(f"steerx-{name}" in DEFAULT for name in PLAIN)
    with pytest.raises(ValueError, match="no such method: dream"):
        ordered(["dream"])


def test_what_is_missing_is_named_with_its_cure(monkeypatch):
    monkeypatch.setattr("steering.evaluation.extras.find_spec", lambda name: None if name == "rouge_score" else name)
    with pytest.raises(
        MissingLibraryError, match=r"needs rouge-score; .*pip install 'private-assistant\[evaluation\]'"
    ):
        check_libraries()


def test_the_plot_needs_only_what_is_in_the_json(tmp_path):
    point = {"gain_mean": 0.1, "gain_ci": [0.0, 0.2], "kl_neutral": 0.1}
    curve = [point, point | {"kl_neutral": 0.15}]
    methods = {"unsteered": point | {"curve": []}, "steerx-caa": point | {"curve": curve}}
    png, svg = draw(json.loads(json.dumps({"people": 3, "model": "m", "methods": methods})), tmp_path / "a.b")
    assert png.read_bytes().startswith(b"\x89PNG") and b"<svg" in svg.read_bytes()


def test_the_table_holds_steerx_against_its_backbone_alone_and_summed():
    pair = {"diff": 0.01, "ci": [0.0, 0.02], "people": 3, "better": 2}
    names = ("steerx-caa>caa", "steerx-caa-sum>caa", "steerx-caa-sum>stylevector", "caa>steerx-caa")
    found = {"people": 3, "left_out": 0, "model": "m", "kl": 0.1, "methods": {}, "pairs": dict.fromkeys(names, pair)}
    shown = [line for line in markdown(found).splitlines() if ">" in line]
    assert [line.split(" | ")[0] for line in shown] == ["| steerx-caa>caa", "| steerx-caa-sum>caa"]
