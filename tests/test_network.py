"""The tests themselves reach no other machine."""

import urllib.request

import pytest


def test_another_machine_is_out_of_reach():
    with pytest.raises(OSError, match="no network"):
        urllib.request.urlopen("http://192.0.2.1/", timeout=5)
