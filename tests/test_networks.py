"""Image networks of several seeds: side by side, and a new training beside those that are kept."""

import numpy as np
import pytest

from mirage_lib import vision
from mirage_lib.claims import networks


def squared_error(table):
    return table["squared_error"]


def test_seeds_stand_side_by_side():
    table = vision.stored("autoencoder")
    found = networks.seed_scores(table, squared_error)
    assert found.shape == (len(vision.WIDTHS["autoencoder"]), len(vision.SEEDS))
    part = table[(table["width"] == 4) & (table["seed"] == 3)]
    assert found.loc[4, 3] == pytest.approx(np.mean(part["squared_error"].tolist()))


def test_standing_beside_wants_the_same_data():
    table = vision.stored("autoencoder")
    other = table[table["seed"] == 0].assign(task="noise")
    with pytest.raises(ValueError, match="trained on 'noise', to be compared with 'patches of seven photographs'"):
        networks.beside_kept(other, table, squared_error)
    again = networks.beside_kept(table[table["seed"] == 2], table, squared_error)
    assert (again["live"] == again["kept"]).all()
    assert ((again["low"] <= again["kept"]) & (again["kept"] <= again["high"])).all()
    assert (again["low"] < again["high"]).all()
    for several in (table, table[table["seed"] == 2].assign(seed=7)):
        with pytest.raises(ValueError, match=r"beside the kept .* choose one"):
            networks.beside_kept(several, table, squared_error)
