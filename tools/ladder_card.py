"""Write the model card of the ladder, models/ladder/README.md and losses.svg, from the records of its training.

python tools/ladder_card.py
"""

import json
from pathlib import Path

import numpy as np

from mirage_lib import ladder

FOLDER = Path(__file__).resolve().parent.parent / "models" / "ladder"
CARD = """\
# The ladder

Small language models for the chapters of this book that measure a family of growing size. They have the
architecture of Pythia (GPT-NeoX: rotary embeddings on a quarter of each head, attention and feed-forward layer in
parallel, untied embeddings) and one character a token. Trained from scratch by `mirage ladder train`.

**Intended use.** To show how scores of a family of models depend on size, training and metric. They add, multiply
and follow a rule, within the layout they learned, and are of no use for anything else. Licence: MIT, as the code.

**Data.** Generated, nothing collected. *Arithmetic*: sums of numbers of one to four digits, products of one and two
digits. *Chain*: seven digits, then eight more, each of which follows from five before it by one of {rules} rules
(`chain_digits` in `mirage_lib/tasks.py`). Lines are put together to sequences of {length} tokens, examples first,
as in the evaluation. One problem in four is never trained on; evaluations ask only those.

**Recipe.** {steps},
the same for every size; a step has {batch} sequences. AdamW (betas 0.9 and 0.95, weight decay 0.01 on matrices),
gradients clipped at 1, learning rate min(0.008, 0.25 / width), 100 steps of warm-up, then linearly to 0. The loss is
the cross-entropy of the answers and their stop. float32, one thread. A seed fixes the start and the order of the
data; sizes with one seed see the same data in the same order. Rungs up to 300,000 parameters have three seeds.
Weights are stored in half precision. Checkpoints of seed 0 up to 200,000 parameters: steps {checkpoints},
where they come before the last.

**Loss.** Mean of the last 500 steps, nats a token of the answers; the curves are in `losses.svg` and in each
model's `training.json`.

![Loss against training step for every model, one panel a family; larger models lie lower](losses.svg)

{table}
"""


def records() -> list[dict]:
    return [json.loads((FOLDER / cell.name / "training.json").read_text()) for cell in ladder.cells()[::-1]]


def card() -> str:
    """The text of the card."""
    rows = ["| model | parameters without embeddings | width, layers | loss |", "| --- | --- | --- | --- |"]
    for record in records():
        name = f"{record['family']}-{record['rung']}-seed{record['seed']}"
        width, layers = ladder.RUNGS[record["rung"]]
        rows.append(f"| {name} | {record['params']:,} | {width}, {layers} | {np.mean(record['loss'][-10:]):.3f} |")
    return CARD.format(
        rules=int(ladder.tasks.RULES.sum()),
        length=ladder.LENGTH,
        steps=", ".join(
            f"{steps:,} steps for {family} ({steps * ladder.BATCH * ladder.LENGTH / 1e6:.1f} million tokens)"
            for family, steps in ladder.STEPS.items()
        ),
        batch=ladder.BATCH,
        checkpoints=", ".join(f"{step:,}" for step in ladder.CHECKPOINTS),
        table="\n".join(rows),
    )


def draw(file: Path) -> None:
    import matplotlib.pyplot as plt

    from mirage_lib import figures

    figures.use_style()
    fig, panels = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
    colours = dict(zip(ladder.RUNGS, plt.cm.viridis(np.linspace(0, 0.85, len(ladder.RUNGS))), strict=True))
    for ax, family in zip(panels, ladder.STEPS, strict=True):
        for record in (r for r in records() if r["family"] == family):
            loss = record["loss"]
            ax.plot(50 * np.arange(1, len(loss) + 1), loss, color=colours[record["rung"]], lw=1)
            if record["seed"] == 0 and record["rung"] in ("3k", "57k", "337k", "2.1m"):
                figures.label_end(ax, [50 * len(loss)], [loss[-1]], record["rung"], colours[record["rung"]])
        ax.set(title=family, xlabel="training step", ylim=(0, None), xlim=(0, 1.12 * 50 * len(loss)))
    panels[0].set_ylabel("loss (nats a token)")
    fig.savefig(file, metadata={"Date": None})


if __name__ == "__main__":
    (FOLDER / "README.md").write_text(card())
    draw(FOLDER / "losses.svg")
