"""Every closed form against draws from the same model, and every draw against a closed form."""

import numpy as np
import pandas as pd
import pytest

from mirage_lib import metrics, scores, theory
from mirage_lib.claims.longer_answers import draw_choices
from mirage_lib.items import Ragged, items_table

N = 40_000


def agrees(scores, expected, sigmas=5):
    """The mean of seeded draws lies within `sigmas` standard errors of the closed form."""
    error = max(np.std(scores) / np.sqrt(len(scores)), 1e-9)
    assert abs(np.mean(scores) - expected) < sigmas * error, (np.mean(scores), expected, error)


@pytest.fixture
def rng():
    return np.random.default_rng(2023)


def test_scaling_law_by_hand():
    assert theory.scaling_law(8.8e13) == 1.0
    assert theory.scaling_law(1e6, c=1e8, alpha=-0.5) == pytest.approx(10.0)
    assert theory.scaling_law(1e10, c=1e8, alpha=-0.5, irreducible=0.25) == pytest.approx(0.35)
    with pytest.raises(ValueError, match="alpha < 0"):
        theory.scaling_law(1e6, alpha=0.1)
    with pytest.raises(ValueError, match="c > 0"):
        theory.scaling_law(1e6, c=0)


def test_irreducible_loss_caps_accuracy():
    assert theory.token_probability(theory.scaling_law(1e30, c=1.0, alpha=-1, irreducible=0.5)) == pytest.approx(
        np.exp(-0.5)
    )


@pytest.mark.parametrize(("p", "length"), [(0.5, 1), (0.8, 3), (0.95, 20)])
def test_accuracy_and_edit_distance_of_independent_tokens(rng, p, length):
    items = theory.draw_items(p, length, N, rng)
    agrees(metrics.exact_match(items), theory.accuracy(p, length))
    agrees(metrics.token_accuracy(items), p)
    assert metrics.expected_accuracy(items).to_numpy() == pytest.approx(theory.accuracy(p, length))
    wrong = (1 - metrics.token_accuracy(items)) * length
    agrees(wrong, theory.token_edit_distance(p, length))
    distance = metrics.token_edit_distance(items)
    assert (distance <= wrong + 1e-9).all()
    if length > 10:  # insertions and deletions do pay on long targets: the bound is not an equality
        assert (distance < wrong - 0.5).any()


@pytest.mark.parametrize(("p", "options"), [(0.3, 2), (0.6, 2), (0.4, 3), (0.3, 5), (0.45, 5), (0.02, 200), (0.15, 10)])
def test_multiple_choice_toy(rng, p, options):
    items = draw_choices(p, options, N, rng)
    agrees(metrics.multiple_choice_grade(items), theory.multiple_choice_grade(p, options))
    agrees(metrics.brier_choices(items), theory.brier_choices(p, options))
    assert metrics.brier_target(items).to_numpy() == pytest.approx(theory.brier_target(p))


def test_multiple_choice_grade_is_a_step_between_1_over_k_and_one_half():
    p = np.linspace(0.001, 0.999, 500)
    for options in (2, 3, 4, 10, 50, 1000):
        grade = theory.multiple_choice_grade(p, options)
        assert (np.diff(grade) >= -1e-8).all()
        assert (grade[p < 1 / options] == 0).all()
        assert (grade[p >= 0.5] == 1).all()
        assert ((grade >= -1e-8) & (grade <= 1 + 1e-8)).all()
    assert theory.multiple_choice_grade(1.0, 4) == 1
    with pytest.raises(ValueError, match="at least 2 options"):
        theory.multiple_choice_grade(0.5, 1)


def test_three_options_by_hand():
    # a stick of length 0.6 broken once: the longer piece is shorter than 0.4 when the break lies in the middle third
    assert theory.multiple_choice_grade(0.4, 3) == pytest.approx(1 / 3)


def test_greedy_against_sampling(rng):
    for p, vocabulary in ((0.3, 10), (0.45, 4), (0.7, 10)):
        items = theory.draw_items(p, 2, N, rng, vocabulary=vocabulary, greedy=True)
        agrees(metrics.exact_match(items), theory.multiple_choice_grade(p, vocabulary) ** 2)


def test_probabilities_an_item_and_a_token():
    p = np.array([[0.5, 0.25], [1.0, 0.125]])
    a_token = theory.draw_items(p, 2, 2, np.random.default_rng(0))
    assert metrics.expected_accuracy(a_token).tolist() == pytest.approx([0.125, 0.125])
    an_item = theory.draw_items([0.5, 0.25], [1, 3], 2, np.random.default_rng(0), model="toy")
    assert metrics.expected_accuracy(an_item).tolist() == pytest.approx([0.5, 0.25**3])
    assert an_item["length"].tolist() == [1, 3]


def test_draws_are_the_same_for_the_same_seed():
    one, two = (theory.draw_items(0.5, 3, 50, np.random.default_rng(1)) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)
    assert not one.equals(theory.draw_items(0.5, 3, 50, np.random.default_rng(2)))


@pytest.mark.parametrize("p", [0.0, 1.5, -0.1, np.nan])
def test_draws_refuse_impossible_probabilities(p):
    with pytest.raises(ValueError, match="probabilities must lie in"):
        theory.draw_items(p, 1, 5, np.random.default_rng(0))
    with pytest.raises(ValueError, match="probabilities must lie in"):
        draw_choices(p, 4, 5, np.random.default_rng(0))


def test_sampling_whole_answers_is_right_with_probability_exp_minus_ce_whatever_the_dependence(rng):
    """Chain rule: a Markov chain over 3 tokens, targets from another process, no independence anywhere."""
    chain = rng.dirichlet(np.ones(3), size=3)
    target = rng.integers(3, size=(50, 4))
    path = np.c_[np.zeros(50, int), target]
    logprob = np.log(chain[path[:, :-1], path[:, 1:]])
    expected = metrics.expected_accuracy(items_table(logprob=Ragged(logprob.ravel(), np.full(50, 4))))
    tries, cumulative = 2000, chain.cumsum(1)
    state, right = np.zeros((50, tries), int), np.ones((50, tries), bool)
    for t in range(4):
        state = (rng.random((50, tries, 1)) > cumulative[state]).sum(-1)
        right &= state == target[:, t, None]
    z = (right.mean(1) - expected) / np.sqrt(expected * (1 - expected) / tries)
    assert abs(z).max() < 5


def test_the_curve_of_drawn_items_covers_the_closed_form(rng):
    params = np.logspace(7, 12, 8)
    p = theory.token_probability(theory.scaling_law(params, c=1e10, alpha=-0.3))
    items = pd.concat([theory.draw_items(q, 4, 4000, rng, params=n) for n, q in zip(params, p, strict=True)])
    table = scores.curve(items, metrics.exact_match, level=0.9999)
    assert table["x"].tolist() == pytest.approx(params)
    truth = theory.accuracy(p, 4)
    assert ((table["low"] <= truth) & (truth <= table["high"])).all()


def test_large_vocabularies_lose_nothing_to_rounding():
    for options in (1_000, 50_257, 151_936):
        grade = theory.multiple_choice_grade(np.linspace(0.0, 1.0, 101), options)
        assert (np.diff(grade) >= -1e-6).all() and grade.min() >= 0 and grade.max() <= 1
        assert theory.multiple_choice_grade(2.0 / options, options) < 1e-6
    with pytest.raises(ValueError, match=r"probabilities lie in \[0, 1\]"):
        theory.multiple_choice_grade(80, 4)


@pytest.mark.parametrize(
    ("p", "length", "vocabulary"), [(0.5, 0, 10), (0.5, 2, 1), ([[0.1, 0.2, 0.3], [0.9, 0.8, 0.7]], 2, 10)]
)
def test_items_that_cannot_be_drawn_are_refused(p, length, vocabulary):
    with pytest.raises(ValueError, match=r"at least|shape"):
        theory.draw_items(p, length, 2, np.random.default_rng(0), vocabulary)


@pytest.mark.parametrize(
    "call",
    [
        lambda p: theory.accuracy(p, 3),
        lambda p: theory.token_edit_distance(p, 3),
        lambda p: theory.multiple_choice_grade(p, 4),
        lambda p: theory.brier_choices(p, 4),
        theory.brier_target,
    ],
)
def test_a_probability_lies_in_0_to_1(call):
    assert np.isfinite(call([0.0, 0.5, 1.0])).all()
    for p in (1.2, -0.1, [0.5, np.nan]):
        with pytest.raises(ValueError, match=r"probabilities lie in \[0, 1\]"):
            call(p)


def test_a_cross_entropy_is_at_least_0():
    with pytest.raises(ValueError, match="at least 0 nats, not -1"):
        theory.token_probability([0.5, -1])
