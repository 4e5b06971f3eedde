"""Sphinx extension of the book."""


def setup(app):
    return {"parallel_read_safe": False}
