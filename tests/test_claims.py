"""The claims: every verdict in the file follows from the data, and a verdict that does not is caught."""

import inspect

import pytest

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


def test_a_tolerance_decides():
    """A tighter tolerance turns verdicts over: none of the functions returns what it likes."""
    for row in CLAIMS[CLAIMS["verdict"] == "holds"].itertuples():
        if row.id not in TIGHTER:
            assert decide(row)(0.0).verdict != "holds", row.id
    for row in CLAIMS[CLAIMS["id"].isin(TIGHTER)].itertuples():
        assert decide(row)(TIGHTER[row.id]).verdict != "holds", row.id
    for row in CLAIMS[CLAIMS["verdict"] == "fails"].itertuples():
        # so lenient, a test with planted truths can lose its power
        assert decide(row)(LOOSER.get(row.id, 1e9)).verdict in ("holds", "not testable here"), row.id


# where 0 is not the strictest, or a large number not the most lenient
TIGHTER = {
    "infinite-score-by-luck": 1.0,
    "smaller-pythia-beats-larger": 1.01,
    "more-items-smooth": -1,
    "score-needs-null": 1e9,
    "harsher-appears-later": 1,
    "other-languages-leave-the-curve": 1,
    "resolution-sharpens": 1,
    "zeros-flatten-law": 1,
    "more-digits-come-later": 1e9,
    "harsher-comes-later": 1,
    "longer-answers-come-later-on-text": 1,
    "unequal-items-fall-slower-than-geometrically": 1e9,
    "unequal-items-exceed-exp-of-the-mean-loss": 1e9,
    "grade-needs-the-competitors": 1,
    "smooth-can-surprise": 1,
    "mean-log-accuracy-is-minus-infinity": float("inf"),
    "soft-metrics-can-score-emergent": 1e9,
    "longer-sequences-rise-later-and-as-widely": 1e9,
    "five-of-five-rises-as-widely": 1e9,
}
LOOSER = {"rouge-falls-sharply": 0.0}


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
