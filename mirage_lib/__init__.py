"""Measure once, score every way: the library behind the book "Emergence and the metric".

One module, one idea; import the one you need (``from mirage_lib import theory``). Nothing is imported
here, so that ``import mirage_lib`` is immediate.

items       the table that every source writes and every metric reads
theory      closed forms of the toy model, their corrections, and draws from the same models
metrics     pure functions of an items table
stats       intervals, the items that are needed, the emergence score and its null
scores      items scored: a row a task, family and model, with errors; curves with intervals
compare     the shape of a curve: where it rises, how sharply
forecast    what larger models will score, with an interval, and how often such intervals hold
logs        what lm-evaluation-harness, inspect_ai and others wrote, as items or as scores
published   tables of published results, with citation and licence
images      sets of images: fetched, verified and kept, or what stands in for them
tasks       prompts and targets: few-shot arithmetic, text to go on with, a memo trap, your own
families    language models of growing size, by name: the ladder, Pythia, SmolLM2, any of yours
caches      what rows that begin alike keep of their common beginning, and attention to it
passes      forward passes of a language model: batches, shared beginnings, answers
lm          a language model asked a task, as an items table
sweep       every checkpoint of a family asked every task, into a folder that a killed run fills further
audit       whose doing a jump is: the test set's, the sizes', the metric's or the model's
figures     one style for every figure
claims      the claims of the paper and of this book, what decides them, and what chapters share (book/claims)
report      what an audit found, in words and on one page
cli         the command `mirage`: measure, sweep, metrics, audit, vision
"""

from pathlib import Path

__path__.append(str(Path(__file__).parents[1] / "book"))  # where claims are, unless the library was installed

__version__ = "0.1.0"
