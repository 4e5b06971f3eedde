"""The claims: every verdict in the file follows from the data, and a verdict that does not is caught."""

import pytest

from mirage_lib import claims

CLAIMS = claims.load()


@pytest.mark.parametrize("row", list(CLAIMS.itertuples()), ids=list(CLAIMS["id"]))
def test_the_verdict_follows(row):
    finding = claims.DECIDE[row.id](row.tolerance)
    assert finding.verdict == row.verdict, finding.found
    assert finding.found


def edited(tmp_path, old, new):
    text = claims.FILE.read_text()
    assert old in text
    file = tmp_path / "claims.toml"
    file.write_text(text.replace(old, new, 1))
    return file


def test_a_verdict_that_changed_is_an_error_that_names_it(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "DECIDE", {"score-needs-null": claims.DECIDE["score-needs-null"]})
    start, first, *_ = claims.FILE.read_text().split("[[claim]]")
    file = tmp_path / "claims.toml"
    file.write_text(f"{start}[[claim]]{first}")
    assert "noise alone reaches" in claims.check(file)["found"].item()
    file.write_text(file.read_text().replace('verdict = "holds"', 'verdict = "fails"'))
    with pytest.raises(claims.ClaimChanged, match=r"score-needs-null: claims.toml says 'fails', recomputed 'holds'"):
        claims.check(file)


def test_the_claims_of_a_chapter_are_shown_with_their_verdicts():
    page = claims.settled(6).to_html()
    assert page.count("<tr>") == 1 + (CLAIMS["chapter"] == 6).sum()
    assert "holds in part" in page


def test_a_tolerance_decides():
    """A tighter tolerance turns verdicts over: none of the functions returns what it likes."""
    for row in CLAIMS[CLAIMS["verdict"] == "holds"].itertuples():
        if row.id not in TIGHTER:
            assert claims.DECIDE[row.id](0.0).verdict != "holds", row.id
    for name, tolerance in TIGHTER.items():
        assert claims.DECIDE[name](tolerance).verdict != "holds", name
    for row in CLAIMS[CLAIMS["verdict"] == "fails"].itertuples():
        assert claims.DECIDE[row.id](LOOSER.get(row.id, 1e9)).verdict == "holds", row.id


# where 0 is not the strictest, or a large number not the most lenient
TIGHTER = {
    "more-items-lift-the-ladder": 1.0,
    "more-items-smooth": -1,
    "score-needs-null": 1e9,
    "harsher-appears-later": 1,
    "resolution-sharpens": 1,
    "zeros-flatten-law": 1,
    "more-digits-come-later": 1e9,
}
LOOSER = {
    "ability-survives-the-layout": 0.0,
    "brier-removes-mmlu-jump": 0.0,
    "length-sharpens": -1,
    "mean-log-accuracy": float("inf"),
    "rouge-cliff": 0.0,
    "brier-shows-knowledge": -1,
    "jumps-are-sharp-and-tall": 0.0,
}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('verdict = "holds"', 'verdict = "true"', "'true' is none of"),
        ("chapter = 2", "chapters = 2", "one-token.*has the fields"),
        ('id = "one-token"', 'id = "two-tokens"', "two-tokens"),
        ('id = "one-token"', 'id = "late-and-sharp"', "late-and-sharp"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, old, new, message):
    with pytest.raises(ValueError, match=message):
        claims.load(edited(tmp_path, old, new))
