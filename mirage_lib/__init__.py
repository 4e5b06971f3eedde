"""Measure once, score every way: the library behind the book "Emergence and the metric".

One module, one idea; import the one you need (``from mirage_lib import theory``). Nothing is imported
here, so that ``import mirage_lib`` is immediate.

items       the table that every source writes and every metric reads
theory      closed forms of the toy model, their corrections, and draws from the same models
metrics     pure functions of an items table
stats       intervals, resolution, the emergence score and its null, fits, curves
swap        the same models under two metrics: how sharp, where, how well foreseen
published   tables of published results, with citation and licence
figures     one style for every figure
claims      the claims of the paper and of this book, and the tests that decide them
"""

__version__ = "0.1.0"
