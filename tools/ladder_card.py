"""Write the model card of the ladder, models/ladder/README.md and losses.svg, from the records of its training.

python tools/ladder_card.py
"""

import json
from pathlib import Path

import ladder
import numpy as np

FOLDER = Path(__file__).resolve().parent.parent / "models" / "ladder"
CARD = """\
# The ladder

Small language models for the chapters of this book that measure a family of growing size. They have the
architecture of Pythia (GPT-NeoX: rotary embeddings on a quarter of each head, attention and feed-forward layer in
parallel, untied embeddings) and one character a token. Feed-forward layers are four times as wide as the model; those
of text-3.4k are as wide as it, since so small a model has no other room for a second layer. Trained from scratch by
`python tools/ladder.py`.

**Intended use.** To show how scores of a family of models depend on size, training and metric. They go on with
Python source, or add and multiply within the layout they learned, and are of no use for anything else. Licence: MIT,
as the code.

**Data.** *Text*: the source of the standard library of Python 3.11.7, without tests, {characters} characters (licence
PSF-2.0, `mirage_lib/data/LICENSE-stdlib.txt`; `tools/ladder_text.py` made it). One file in ten is held out, and
evaluations ask only of those. *Arithmetic*: generated sums of numbers of one to four digits, products of one and two
digits, few-shot lines as in the evaluation. One problem in four is never trained on; evaluations ask only those.

**Recipe.** {steps}, the same for every size; a step has {batch} sequences of {length} tokens. AdamW (betas 0.9 and
0.95, weight decay 0.01 on matrices), gradients clipped at 1, learning rate min(0.008, 0.25 / width), 100 steps of
warm-up, then linearly to 0. The loss is the cross-entropy of every character of text, and of answers and their stop in
arithmetic. float32, one thread. A seed fixes the start and the order of the data; sizes with one seed see the same
data in the same order. Weights are stored in half precision. Checkpoints within 4,000 steps, of seed 0 up to 30,000
parameters: steps {checkpoints}.

**Why characters.** With a vocabulary of {pieces} byte pairs, learned from the same text, the rungs {tried} have a lower
loss ({pairs} nats a character of all held-out text, instead of {single}; one seed each): as many steps read {more:.1f}
times as much text, a window shows as much more, and embeddings hold more. But it falls by less from the one rung to the
other, and its fall with size is what these models are for (`python tools/byte_pairs.py`).

**Not carried.** Models in brackets are not here, to keep the whole under 30 MB: their records are in `records`, their
answers in `mirage_lib/data/kept`, and `python tools/ladder.py` trains them.

**Loss.** Mean of the last 500 steps, nats a token that counts; the curves are in `losses.svg` and in each model's
`training.json`.

![Loss against training step, one panel a family and training length; larger models lie lower](losses.svg)

{table}
"""


def records() -> list[dict]:
    """What each training wrote; of models that are not carried, in the folder `records`."""
    places = {True: "{}/training.json", False: "records/{}.json"}
    return [json.loads((FOLDER / places[cell.carried].format(cell.name)).read_text()) for cell in ladder.cells()[::-1]]


def card() -> str:
    """The text of the card."""
    rows = ["| model | parameters without embeddings | width, layers | loss |", "| --- | --- | --- | --- |"]
    for cell, record in zip(ladder.cells()[::-1], records(), strict=True):
        width, layers = ladder.RUNGS[cell.rung]
        name = cell.name if cell.carried else f"({cell.name})"
        rows.append(f"| {name} | {record['params']:,} | {width}, {layers} | {np.mean(record['loss'][-10:]):.3f} |")
    trial = json.loads((FOLDER / "records" / "byte-pairs.json").read_text())
    return CARD.format(
        characters=f"{(len(ladder.training_text()) + len(ladder.tasks.library_text())) / 1e6:.1f} million",
        length=" or ".join(f"{length} ({family})" for family, length in ladder.LENGTH.items()),
        steps=", ".join(
            f"{steps:,} steps for {family} ({steps * ladder.BATCH * ladder.LENGTH[family] / 1e6:.1f} million tokens)"
            for family, steps in ladder.TRAININGS
        ),
        batch=ladder.BATCH,
        pieces=trial["tokens"],
        tried=" and ".join(trial["rungs"]),
        pairs=" and ".join(f"{loss:.2f}" for loss in trial["byte pairs"]),
        single=" and ".join(f"{loss:.2f}" for loss in trial["characters"]),
        more=trial["characters a byte pair"],
        checkpoints=", ".join(f"{step:,}" for step in ladder.CHECKPOINTS),
        table="\n".join(rows),
    )


def draw(file: Path) -> None:
    import matplotlib.pyplot as plt

    from mirage_lib import figures

    figures.use_style()
    fig, panels = plt.subplots(1, len(ladder.TRAININGS), figsize=(10, 3.6), sharey=True)
    colours = dict(zip(ladder.RUNGS, plt.cm.viridis(np.linspace(0, 0.85, len(ladder.RUNGS))), strict=True))
    for ax, (family, steps) in zip(panels, ladder.TRAININGS, strict=True):
        for record in (r for r in records() if (r["family"], r["steps"]) == (family, steps)):
            loss = record["loss"]
            ax.plot(50 * np.arange(1, len(loss) + 1), loss, color=colours[record["rung"]], lw=1)
            if record["seed"] == 0 and record["rung"] in ("7k", "57k", "337k", "2.1m"):
                figures.label_end(ax, [50 * len(loss)], [loss[-1]], record["rung"], colours[record["rung"]])
        ax.set(title=f"{family}, {steps:,} steps", xlabel="training step", ylim=(0, 3), xlim=(0, 1.15 * steps))
    panels[0].set_ylabel("loss (nats a token)")
    fig.savefig(file, metadata={"Date": None})


if __name__ == "__main__":
    (FOLDER / "README.md").write_text(card())
    draw(FOLDER / "losses.svg")
