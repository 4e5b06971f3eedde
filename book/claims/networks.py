"""Image networks of several seeds (`mirage_lib.vision`), as the chapters of Part III and their claims use them."""

import pandas as pd

from mirage_lib import images, metrics, scores, vision

from . import Finding, kept

# widths that a page trains: the others take most of the time
NOW = {"autoencoder": vision.WIDTHS["autoencoder"][:8], "omniglot": (2, 4, 6, 12), "lenet": vision.WIDTHS["lenet"]}


def seed_zero(family: str, data: images.ImageSet, look=()) -> vision.Trained:
    """Seed 0 of every width: those of NOW are trained, with their networks, the others are as they were kept.

    look : widths whose networks a page looks into. Where MIRAGE_LIVE is 0 only these are trained, to look into, and all
        items are the kept ones. Of data that nothing is kept of every width is trained.
    """
    if data.about["name"] not in vision.KEPT[family]:
        return vision.train_all(family, data)
    table = vision.stored(family, data.about["name"])
    table = table[table["seed"] == 0]
    if not kept.live():
        return vision.Trained(
            vision.train_all(family, data, widths=look).networks if look else {}, table.reset_index(drop=True)
        )
    trained = vision.train_all(family, data, widths=NOW[family])
    rest = table[~table["width"].isin(NOW[family])]
    both = pd.concat([trained.items, rest]).sort_values("width", kind="stable", ignore_index=True)
    return vision.Trained(trained.networks, both)


def seed_scores(items: pd.DataFrame, metric, by: str = "width") -> pd.DataFrame:
    """Mean score by width, or by another column, one column a seed of training.

    >>> seed_scores(vision.stored("lenet"), metrics.exact_match).shape
    (12, 5)
    """
    table = scores.table(items, metric, by=[by, "seed"])
    return table.pivot(index=by, columns="seed", values=table.columns[-2])


def beside_kept(live: pd.DataFrame, kept: pd.DataFrame, metric) -> pd.DataFrame:
    """A new training beside the kept ones: a row a width with the mean score of `live`, and of `kept` for its seed.

    `low` and `high` are the lowest and the highest of all kept seeds. Raises ValueError if the data were not the same,
    and unless `live` has one of the kept seeds.
    """
    if set(live["task"]) != set(kept["task"]):
        raise ValueError(f"trained on {live['task'].iloc[0]!r}, to be compared with {kept['task'].iloc[0]!r}")
    seeds, mine = (seed_scores(each, metric) for each in (kept, live))
    if len(mine.columns) != 1 or mine.columns[0] not in seeds:
        raise ValueError(
            f"seeds {list(mine.columns)} beside the kept {list(seeds)}: choose one, as live[live['seed'] == 0]"
        )
    (seed,) = mine.columns
    return pd.DataFrame({"live": mine[seed], "kept": seeds[seed], "low": seeds.min(axis=1), "high": seeds.max(axis=1)})


def at_seeds(count: int, found: str) -> Finding:
    """Holds at every one of five seeds, in part at some."""
    verdict = {0: "fails", len(vision.SEEDS): "holds"}.get(count, "holds in part")
    return Finding(verdict, f"at {count} of {len(vision.SEEDS)} seeds; {found}")


def all_of(k: int) -> pd.DataFrame:
    """K-of-K accuracy of the LeNets by parameters, one column a seed; K = 1 is the accuracy."""
    table = vision.stored("lenet")
    share, n = seed_scores(table, metrics.exact_match, "params"), table["item"].nunique()
    return share.apply(lambda right: metrics.subset_probability(right * n, n, k))
