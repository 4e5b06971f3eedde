"""The claims: every verdict in the file follows from the data, and a verdict that does not is caught."""

import inspect

import numpy as np
import pytest
from other_truths import OTHER

from mirage_lib import claims

CLAIMS = claims.load()


@pytest.mark.parametrize("row", list(CLAIMS.itertuples()), ids=list(CLAIMS["id"]))
def test_the_verdict_follows(row):
    finding = decide(row)(row.tolerance)
    assert finding.verdict == row.verdict, finding.found
    assert finding.found


def decide(row):
    return claims.decider(row.id, row.chapter)


@pytest.mark.parametrize("chapter", CLAIMS["chapter"].unique())
def test_every_function_that_decides_has_its_claim(chapter):
    functions = inspect.getmembers(claims.deciders(chapter), inspect.isfunction)
    decide = {name for name, function in functions if list(inspect.signature(function).parameters) == ["tolerance"]}
    assert decide == set(CLAIMS["id"][CLAIMS["chapter"] == chapter].str.replace("-", "_"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('id = "one-token"', 'id = "two-tokens"', "no function two_tokens decides"),
        ('chapter = "emergence"', 'chapter = "nowhere"', "decides the claims of the chapter 'nowhere'"),
    ],
)
def test_a_claim_without_what_decides_it_is_refused(tmp_path, old, new, message):
    row = claims.load(edited(tmp_path, old, new)).query("id == 'two-tokens' or chapter == 'nowhere'").iloc[0]
    with pytest.raises(ValueError, match=message):
        claims.decider(row.id, row.chapter)


def edited(tmp_path, old, new):
    text = claims.FILE.read_text()
    assert old in text
    file = tmp_path / "claims.toml"
    file.write_text(text.replace(old, new, 1))
    return file


def test_a_verdict_that_changed_is_an_error_that_names_it(tmp_path):
    start, first, *_ = claims.FILE.read_text().split("[[claim]]")
    file = tmp_path / "claims.toml"
    file.write_text(f"{start}[[claim]]{first}")
    assert "noise alone reaches" in claims.check(file)["found"].item()
    file.write_text(file.read_text().replace('verdict = "holds"', 'verdict = "fails"'))
    with pytest.raises(claims.ClaimChanged, match=r"score-needs-null: claims.toml says 'fails', recomputed 'holds'"):
        claims.check(file)


def test_the_claims_of_a_chapter_are_shown_with_their_verdicts():
    page = claims.settled("is-smooth-predictable").to_html()
    assert page.count("<tr>") == 1 + (CLAIMS["chapter"] == "is-smooth-predictable").sum()
    assert "holds in part" in page


DECIDED = {"holds", "holds in part", "fails"}
# the tolerance at which a verdict turns: 0 where none is named
TURNS = {
    "score-needs-null": 1e9,
    "more-items-smooth": -1,
    "resolution-sharpens": 1,
    "zeros-flatten-law": 1,
    "unequal-items-fall-slower-than-geometrically": 1e9,
    "unequal-items-exceed-exp-of-the-mean-loss": 1e9,
    "grade-needs-the-competitors": 1,
    "smooth-can-surprise": 1,
    "mean-log-accuracy-is-minus-infinity": np.inf,
    "every-gpt3-is-above-chance": 1,
    "smaller-pythia-beats-larger": 1.01,
    "other-languages-leave-the-curve": 0.08,
    "harsher-appears-later": 1,
    "soft-metrics-can-score-emergent": 1e9,
    "seeds-differ-on-sums": 0.5,
    "infinite-score-by-luck": 1,
    "the-letters-own-loss-stays-flat-to-one-billion": 1,
    "five-of-five-rises-as-widely": 1.6,
    "more-digits-come-later": 1.6,
}


@pytest.fixture
def fewer_draws(monkeypatch):
    """A verdict that turns is far from its edge: a hundred planted truths tell where no claim asks for more."""
    monkeypatch.setattr(claims.deciders("planting").rates, "__defaults__", (100,))


@pytest.mark.parametrize(
    "row", [row for row in CLAIMS.itertuples() if row.id not in OTHER], ids=[i for i in CLAIMS["id"] if i not in OTHER]
)
def test_a_tolerance_turns_the_verdict(row, fewer_draws):
    assert decide(row)(TURNS.get(row.id, 0.0)).verdict in DECIDED - {row.verdict}


@pytest.mark.parametrize("claim", OTHER)
def test_other_data_turn_the_verdict(claim, monkeypatch, fewer_draws):
    """A test that plants truths has no power at another tolerance: give it the data of another truth."""
    row = CLAIMS.set_index("id", drop=False).loc[claim]
    change, verdict = OTHER[claim]
    change(claims.deciders(row.chapter), monkeypatch.setattr)
    finding = decide(row)(row.tolerance)
    assert finding.verdict == verdict != row.verdict, finding.found


def test_every_turn_is_that_of_a_claim():
    assert {*TURNS, *OTHER} <= set(CLAIMS["id"]) and not {*TURNS} & {*OTHER}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('verdict = "holds"', 'verdict = "true"', "'true' is none of"),
        ('chapter = "accuracy', 'chapters = "accuracy', "one-token.*has the fields"),
        ('id = "one-token"', 'id = "late-and-sharp"', "late-and-sharp"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, old, new, message):
    with pytest.raises(ValueError, match=message):
        claims.load(edited(tmp_path, old, new))
