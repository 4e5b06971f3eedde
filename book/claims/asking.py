"""Ask every size of a bundled family, in the page or in a notebook: part of the chapter on harsh and soft metrics."""

import html
import json
import os

import pandas as pd
from IPython.display import HTML

from mirage_lib import families, lm, metrics, tasks

# what the form offers: lines before, the beginning of a line, what should follow
EXAMPLES = {
    "ladder": [
        ("76+96=172\n17+56=73\n", "24+91=", "115"),
        ("2219+1653=3872\n5601+7839=13440\n", "5055+8947=", "14002"),
        ("15*82=1230\n11*67=737\n", "33*43=", "1419"),
    ],
    "ladder-text": [
        ("", "if __name__ ==", " '__main__':"),
        ("class Node:\n", "    def __", "init__(self"),
        ("        if not isinstance(other, Node):\n", "            return Not", "Implemented"),
    ],
}
SCORES = [metrics.exact_match, metrics.token_edit_distance, metrics.cross_entropy, metrics.expected_accuracy]


def ask_models(family: str) -> HTML | pd.DataFrame:
    """Ask every size of a family: in the book a form that runs them in the page, elsewhere a table of one line.

    family : "ladder" (sums and products) or "ladder-text" (source code); seed 0 of each size.
    """
    members = families.members(family).query("seed == 0 and revision == 'main'")
    if os.environ.get("MIRAGE_BOOK"):
        models = [{"name": row.model, "params": row.params} for row in members.itertuples()]
        corpus, presets = models[0]["name"].split("-")[0], html.escape(json.dumps(EXAMPLES[family]))
        data = f'data-family="{corpus}" data-models="{html.escape(json.dumps(models))}" data-presets="{presets}"'
        told = "With JavaScript there is a form here: every size answers a line of yours, and each metric scores it."
        return HTML(f'<div class="mirage-models" {data}><noscript><p>{told}</p></noscript></div>')
    before, begun, target = EXAMPLES[family][0]
    text = family == "ladder-text"  # a text goes on; a sum is done at the end of its line
    task = pd.DataFrame([("line", 0, 0, before + begun, target + ("" if text else "\n"), 0)], columns=tasks.COLUMNS)
    rows = []
    for member in members.itertuples():
        model = families.load(member.model)
        answer = lm.measure(model, task.assign(cut=text))
        row = {"params": member.params, "answer": model.tokenizer.decode(answer["output"][0])}
        rows.append(row | {score.__name__: score(answer)[0] for score in SCORES})
    return pd.DataFrame(rows)
