"""The table of architectures: what shares, what is run alone, what is refused."""

import architectures
import pytest


@pytest.mark.parametrize(
    ("name", "how", "agrees"),
    [
        ("GPT-NeoX (Pythia)", "shared cache", True),
        ("Mistral, window of 16", "alone", True),
        ("BERT, an encoder", "refused", None),
    ],
)
def test_an_architecture_is_measured_as_the_table_says(name, how, agrees):
    assert architectures.trial(name)[:3] == (name, agrees, how)


def test_the_table_has_every_architecture_and_all_agree():
    table = architectures.pd.read_csv(
        architectures.Path(architectures.__file__).parents[1] / "benchmarks/architectures.csv"
    )
    assert table["architecture"].tolist() == list(architectures.ARCHITECTURES)
    assert table[table["how"] != "refused"]["agrees"].all()
