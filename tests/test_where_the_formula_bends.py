"""The corrected formulas of the chapter where-the-formula-bends, which lie beside the book: against draws and scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, special
from scipy import stats as scipy_stats
from scipy.special import logsumexp
from test_theory import N, agrees

from mirage_lib import claims, metrics, theory

bends = claims.deciders("where-the-formula-bends")


@pytest.fixture
def rng():
    return np.random.default_rng(2023)


def test_unequal_items_gamma(rng):
    losses = rng.gamma(0.5, 4.0, N)
    items = theory.draw_items(np.exp(-losses), 1, N, rng)
    agrees(metrics.expected_accuracy(items), bends.gamma_accuracy(0.5, 4.0))
    agrees(metrics.exact_match(items), bends.gamma_accuracy(0.5, 4.0))
    assert bends.gamma_accuracy(0.5, 4.0) == pytest.approx(0.447, abs=5e-4)
    assert np.exp(-2.0) == pytest.approx(0.135, abs=5e-4)  # what one item of the mean loss would score


def test_unequal_items_beta(rng):
    p = rng.beta(2, 1, N)
    items = theory.draw_items(p, 20, N, rng)
    agrees(metrics.exact_match(items), bends.beta_accuracy(2, 1, 20))
    quadrature = integrate.quad(lambda q: q**20 * scipy_stats.beta(2, 1).pdf(q), 0, 1)[0]
    assert bends.beta_accuracy(2, 1, 20) == pytest.approx(quadrature)
    # the tail is a power law: L^-b Gamma(a + b) / Gamma(a)
    assert bends.beta_accuracy(2, 1.5, 1e6) == pytest.approx(
        1e6**-1.5 * special.gamma(3.5) / special.gamma(2), rel=1e-4
    )


def test_unequal_lengths(rng):
    lengths = 1 + rng.poisson(4, N)
    items = theory.draw_items(0.7, lengths, N, rng)
    agrees(metrics.exact_match(items), bends.poisson_length_accuracy(0.7, 4))
    assert bends.poisson_length_accuracy(0.7, 4) > theory.accuracy(0.7, 5)


distributions = st.lists(st.floats(0, 1), min_size=2, max_size=8).filter(lambda v: sum(v) > 0.01)


@given(distributions)
def test_renyi_orders_bound_greedy_sampling_and_exp_minus_entropy(weights):
    p = np.array(weights) / sum(weights)
    shannon, collision, least = (bends.renyi_entropy(p, order) for order in (1, 2, np.inf))
    assert shannon == pytest.approx(scipy_stats.entropy(p), abs=1e-9)
    assert np.exp(-collision) == pytest.approx((p**2).sum())
    assert np.exp(-least) == pytest.approx(p.max())
    assert np.exp(-shannon) <= np.exp(-collision) + 1e-9 <= np.exp(-least) + 2e-9


def test_renyi_entropy_takes_the_last_axis_as_tokens():
    p = np.array([[[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]])
    for order in (1, 2, np.inf):
        assert bends.renyi_entropy(p, order) == pytest.approx(np.array([[np.log(2), 0.0]]))


@given(distributions, st.floats(0.2, 5))
def test_temperature_is_a_softmax_of_scaled_logits(weights, temperature):
    p = np.array(weights) / sum(weights)
    with np.errstate(divide="ignore"):
        expected = special.softmax(np.log(p) / temperature)
    assert bends.decoding_distribution(p, temperature) == pytest.approx(expected, abs=1e-9)


def test_nucleus_keeps_the_fewest_tokens_that_reach_the_mass():
    p = np.array([0.1, 0.5, 0.15, 0.25])
    assert bends.decoding_distribution(p, top_p=0.5).tolist() == [0, 1, 0, 0]
    assert bends.decoding_distribution(p, top_p=0.51) == pytest.approx([0, 2 / 3, 0, 1 / 3])
    assert bends.decoding_distribution(p, top_p=1.0) == pytest.approx(p)
    for bad in ({"temperature": 0}, {"top_p": 0}, {"top_p": 1.1}):
        with pytest.raises(ValueError, match="temperature must be > 0"):
            bends.decoding_distribution(p, **bad)


def test_order_zero_counts_what_can_happen():
    assert bends.renyi_entropy([0.5, 0.5, 0.0], 0) == pytest.approx(np.log(2))
    with pytest.raises(ValueError, match="0 or more"):
        bends.renyi_entropy([0.5, 0.5], -1)


@pytest.mark.parametrize("order", [0.3, 50, 5000, 1e8])
def test_renyi_entropy_of_any_order_is_a_number(order):
    """By scipy's log-sum-exp in logarithms; it falls to the entropy of order infinity."""
    probs = np.array([0.5, 0.3, 0.2])
    wanted = logsumexp(order * np.log(probs)) / (1 - order)
    for p in (probs, [*probs, 0.0]):
        assert bends.renyi_entropy(p, order) == pytest.approx(wanted)
    assert bends.renyi_entropy([0.5, 0.5, 0.0], order) == pytest.approx(np.log(2))
    if order >= 5000:
        assert bends.renyi_entropy(probs, order) == pytest.approx(bends.renyi_entropy(probs, np.inf), abs=1e-3)
