"""Settings for all tests."""

import ctypes
import gc
import os
import socket
import sys
from contextlib import suppress

import pytest
from hypothesis import settings

# a package there is called mirage_lib, too: collected for doctests, it would stand in for the library
collect_ignore = ["sample"]

# the same examples in every run, and no clock: a slow machine is not a failure
settings.register_profile("book", derandomize=True, deadline=None)
settings.load_profile("book")

# the files that take longest, begun first: one that began last would keep one worker while the other waits
LONGEST = ["pages", "book", "sweep", "claims", "teaching", "cache", "mutations", "kernels", "ladder", "lm", "vision"]

# whatever loads models must not look for them elsewhere
os.environ["HF_HUB_OFFLINE"] = "1"


def pytest_collection_modifyitems(items):
    place = {f"test_{name}": number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """No test reaches another machine; a kernel, a browser and a page on this one are allowed."""
    connect = socket.socket.connect

    def connect_here(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"a test tried to reach {address[0]}: tests use no network")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)


@pytest.fixture(autouse=True, scope="module")
def given_back():
    """What the tests of a file took is given back at its end, processes that wait and memory: machines may be small."""
    yield
    loky = sys.modules.get("joblib.externals.loky.reusable_executor")
    if loky and loky._executor:
        loky._executor.shutdown()
    gc.collect()
    with suppress(AttributeError, OSError):  # where the C library is not GNU's
        ctypes.CDLL(None).malloc_trim(0)
