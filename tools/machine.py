"""Say in words why this machine cannot build the book. Runs on any Python, before anything is installed."""

import os
import shutil
import sys

OLDEST = (3, 11)
INSTALL = 7  # GB: the packages, with room for pip to unpack them, and one model converted
BUILD = 0.5  # GB: the built book and its cache


def problem(python, free, installed):
    """Return what is wrong with a machine, or None.

    python: version as a tuple; free: free disk space in GB; installed: whether the packages are there already.
    """
    if tuple(python[:2]) < OLDEST:
        return (
            "Python %d.%d or newer is needed, this is Python %d.%d.\n"
            "Install a newer one and name it: make book PYTHON=python3.12"
        ) % (OLDEST + tuple(python[:2]))
    needed = BUILD if installed else INSTALL
    if free < needed:
        return (
            "The disk is full: %.1f GB are free here, %.1f GB are needed %s.\n"
            "Free some space, or work in a folder on another disk."
        ) % (free, needed, "to build the book" if installed else "to install the packages and build the book")
    return None


def main(environment):
    """Exit with a message when this machine will not do; environment: the folder of the virtual environment."""
    try:
        free = shutil.disk_usage(".").free / 1e9
    except AttributeError:  # Python 2
        free = float("inf")
    found = problem(sys.version_info, free, os.path.exists(os.path.join(environment, ".installed")))
    if found:
        sys.exit("\n" + found + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
