"""Settings for all tests."""

from hypothesis import settings

# the same examples in every run, and no clock: a slow machine is not a failure
settings.register_profile("book", derandomize=True, deadline=None)
settings.load_profile("book")
