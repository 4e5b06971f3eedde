"""The figures of the slides, drawn from the book's data in its style, large enough for the back of a room.

`FIGURES` names them; a slide shows one by `![what it shows](figure:name)`. These functions draw; what they draw is
computed in computed.py.
"""

import computed
import matplotlib.pyplot as plt
import numpy as np

from mirage_lib import figures, published, stats, theory
from mirage_lib.claims import kept
from mirage_lib.figures import BLUE, GREEN, GREY, INK, ORANGE

WIDE = (9.6, 4.5)
BILLIONS = {"xscale": "log", "xticks": [1e8, 1e9, 1e10], "xticklabels": ["0.1", "1", "10"]}


FLAT = (9.6, 3.6)  # above a table: wider, so its words are as large as elsewhere


def twenty_words():
    """The first half of `two_rules`, where it stands in the whole."""
    fig = two_rules()
    fig.axes[1].set_visible(False)
    return fig


def two_rules():
    fig, axes = plt.subplots(1, 2, figsize=WIDE)
    for ax, words, colour, title in (
        (axes[0], 20, ORANGE, "20 words, all right"),
        (axes[1], 1, BLUE, "one word right"),
    ):
        ax.plot(computed.sizes(), 100 * computed.all_right(words), "o-", color=colour)
        ax.set(title=title, xlabel="parameters, billions", ylim=(0, None), **BILLIONS)
    axes[0].set_ylabel("score, %")
    return fig


def five_words():
    fig, ax = plt.subplots(figsize=FLAT)
    for words, colour in ((1, BLUE), (5, GREEN), (20, ORANGE)):
        score = computed.all_right(words)
        way = (score - score[0]) / (score[-1] - score[0])
        ax.plot(computed.sizes(), 100 * way, "o-", color=colour)
        place = {1: (1.3e8, 62), 5: (1.15e9, 62), 20: (7.2e9, 40)}[words]
        ax.annotate(f"{words} word{'s' * (words > 1)}", place, color=colour, ha="right" if words < 20 else "left")
    ax.axhspan(10, 90, color=GREY, alpha=0.1, lw=0)
    ax.annotate("middle 80 % of the way", (1.9e7, 80), color=GREY)
    ax.set(xlabel="parameters, billions", ylabel="share of the way, %", xlim=(1.6e7, 2e10), **BILLIONS)
    return fig


def boxes():
    """Rows of tokens, each right with p = 0.9: one wrong token spoils a whole row."""
    rng, p = np.random.default_rng(4), 0.9
    fig, axes = plt.subplots(1, 2, figsize=WIDE, width_ratios=[1, 1.9])
    for ax, length in zip(axes, (5, 20), strict=True):
        right = rng.random((8, length)) < p
        for row, tokens in enumerate(right):
            for column, hit in enumerate(tokens):
                box = plt.Rectangle((column, row), 0.86, 0.8, color=BLUE if hit else ORANGE)
                ax.add_patch(box)
                if not hit:
                    ax.annotate("×", (column + 0.43, row + 0.4), ha="center", va="center", color="white", weight="bold")
            words = "all right" if tokens.all() else ""
            ax.annotate(words, (length + 0.3, row + 0.4), va="center", color=BLUE, annotation_clip=False)
        ax.set(xlim=(0, length + 4), ylim=(8, -0.2), title=f"{length} tokens: {100 * p**length:.0f} % all right")
        ax.axis("off")
    return fig


def chain():
    n = np.geomspace(1e6, 1e13, 200)
    ce = theory.scaling_law(n, **computed.TOY)
    fig, axes = plt.subplots(1, 2, figsize=WIDE)
    axes[0].plot(n, ce, color=BLUE)
    axes[0].set(title="the loss: a straight line", xscale="log", yscale="log", ylabel="cross-entropy, nats")
    axes[0].set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
    axes[1].plot(n, theory.token_probability(ce), color=ORANGE)
    axes[1].set(title="accuracy = exp(−loss): an S", xscale="log", ylabel="accuracy, one token", ylim=(0, 1))
    axes[1].plot([computed.TOY["c"]], [np.exp(-1)], "o", color=INK)
    axes[1].annotate("steepest at 1 nat", (8e8, 0.3))
    for ax in axes:
        ax.set_xlabel("parameters")
        ax.minorticks_off()
    return fig


def lengths():
    n = np.geomspace(1e6, 1e14, 300)
    p = theory.token_probability(theory.scaling_law(n, **computed.TOY))
    fig, ax = plt.subplots(figsize=WIDE)
    for length, shade in zip((1, 2, 5, 20), plt.cm.viridis([0.1, 0.35, 0.55, 0.75]), strict=True):
        curve = theory.accuracy(p, length)
        ax.plot(n, curve, color=shade)
        at = 10 ** np.interp(0.45, curve, np.log10(n))
        words, side = {1: ("L = 1", -14)}.get(length, (f"{length}", 8))
        ax.annotate(
            words,
            (at, 0.45),
            color=shade,
            xytext=(side, -4),
            textcoords="offset points",
            ha="right" if side < 0 else "left",
            va="top",
        )
    ax.set(xscale="log", xlabel="parameters", ylabel="all L tokens right", ylim=(0, 1))
    return fig


def window():
    n = np.geomspace(1e4, 1e14, 400)
    p = theory.token_probability(theory.scaling_law(n, **computed.TOY))
    shift = 20 ** (1 / -computed.TOY["alpha"])
    fig, ax = plt.subplots(figsize=FLAT)
    ax.plot(n, p, color=BLUE)
    ax.plot(n, theory.accuracy(p, 20), color=ORANGE)
    ax.annotate("one token", (6e8, 0.55), color=BLUE, ha="right")
    ax.annotate("20 tokens", (1e14, 0.06), color=ORANGE, ha="right")
    for low, high, words in ((1e8, 1e11, "a window"), (1e8 / shift, 1e11 / shift, "the same, moved")):
        ax.axvspan(low, high, color=GREY, alpha=0.13, lw=0)
        ax.annotate(words, (np.sqrt(low * high), 0.94), ha="center", color=INK)
    ax.set(xscale="log", xlabel="parameters", ylabel="score", ylim=(0, 1))
    return fig


def axes_three():
    n = np.geomspace(1e7, 1e12, 300)
    ce = theory.scaling_law(n, **computed.TOY)
    fig, axes = plt.subplots(1, 3, figsize=(10.4, 4.2))
    axes[0].plot(n / 1e9, np.exp(-ce), color=ORANGE)
    axes[0].set(title="linear sizes:\nsudden, fading", xlabel="billions", ylabel="accuracy")
    axes[1].plot(n, np.exp(-ce), color=ORANGE)
    axes[1].set(title="log sizes:\nflat, then up", xscale="log", xlabel="parameters")
    axes[2].plot(n, ce, color=BLUE)
    axes[2].set(title="−ln accuracy, both log:\nstraight", xscale="log", yscale="log", xlabel="parameters")
    axes[2].set_yticks([0.1, 1, 3], ["0.1", "1", "3 nats"])
    for ax in axes[1:]:
        ax.minorticks_off()
    return fig


def exams():
    fig, axes = plt.subplots(1, 2, figsize=WIDE, sharey=True)
    for ax, items in zip(axes, computed.EXAMS, strict=True):
        counts = computed.exam().query("item < @items").groupby("params")["right"].agg(["sum", "size"])
        share = stats.wilson(counts["sum"], counts["size"])
        some = (counts["sum"] > 0).to_numpy()
        value, low, high = (100 * np.asarray(part) for part in share)
        ax.errorbar(
            counts.index[some],
            value[some],
            [value[some] - low[some], high[some] - value[some]],
            fmt="o",
            color=BLUE,
            capsize=3,
        )
        ax.plot(counts.index[~some], high[~some], "v", color=ORANGE, ms=8)
        ax.set(xscale="log", yscale="log", title=f"{items:,} items", xlabel="parameters")
        ax.set_yticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    axes[0].set_ylabel("8 characters right, %")
    axes[0].annotate("none right:\nat most so much", (3e4, 27), color=ORANGE, ha="center", va="bottom")
    return fig


def few_sizes():
    from itertools import combinations

    score = computed.all_right(1)
    ways = list(combinations(range(len(score)), 4))
    keep = list(ways[int(np.nanargmax(np.where(np.isfinite(computed.subsets()), computed.subsets(), -np.inf)))])
    fig, axes = plt.subplots(1, 2, figsize=WIDE, sharey=True)
    for ax, chosen, title in ((axes[0], keep, "four sizes"), (axes[1], list(range(len(score))), "all eight")):
        ax.plot(computed.sizes()[chosen], 100 * score[chosen], "o-", color=ORANGE if len(chosen) == 4 else BLUE)
        value = stats.emergence_score(score[chosen])
        ax.set(title=f"{title}: emergence score {value:.0f}", xlabel="parameters, billions", ylim=(0, 80), **BILLIONS)
        ax.set_xlim(1.2e7, 1.8e10)
    axes[0].set_ylabel("one word right, %")
    return fig


def gpt3_sums():
    few = published.gpt3().query("setting == 'few'").pivot_table(index="params", columns="benchmark", values="acc")
    fig, ax = plt.subplots(figsize=WIDE)
    for digits, colour in (("two", BLUE), ("three", GREEN), ("four", ORANGE)):
        score = 100 * few[f"{digits}_digit_addition"]
        ax.plot(few.index / 1e9, score, "o-", color=colour)
        ax.annotate(
            f"{digits} digits",
            (few.index[-1] / 1e9, score.iloc[-1]),
            xytext=(10, 0),
            textcoords="offset points",
            color=colour,
            va="center",
            annotation_clip=False,
        )
    ax.set(xscale="log", xlabel="parameters, billions", ylabel="sums right, %", ylim=(0, 104))
    ax.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    return fig


def naive():
    table = computed.checkpoints()
    fig, ax = plt.subplots(figsize=WIDE)
    ax.plot(100 * np.exp(-table["cross_entropy"]), 100 * table["acc"], "o", color=BLUE, ms=4, alpha=0.6)
    ax.plot([0, 28], [0, 28], color=ORANGE)
    ax.annotate("if the formula were right", (20, 16), color=ORANGE)
    ax.annotate("checkpoints of Pythia", (12.5, 62), color=BLUE, ha="right")
    ax.set(xlabel="exp(−m), predicted, %", ylabel="accuracy, measured, %", xlim=(0, 28.5), ylim=(0, 78))
    return fig


def one_curve():
    table, gpt3, others = computed.checkpoints(), computed.gpt3(), published.lambada_families()
    fig, ax = plt.subplots(figsize=WIDE)
    grid = np.linspace(1.05, 6, 200)
    ax.plot(grid, 100 * computed.stretched(grid, *computed.repaired()), color=GREY, lw=2)
    large = table["params"] > 4e8
    ax.plot(table["cross_entropy"][~large], 100 * table["acc"][~large], "o", color=BLUE, ms=4, alpha=0.5)
    ax.plot(table["cross_entropy"][large], 100 * table["acc"][large], "o", color=GREY, ms=3, alpha=0.35)
    ax.plot(others["cross_entropy"], 100 * others["acc"], "s", color=GREEN, ms=6)
    ax.plot(gpt3["cross_entropy"], 100 * gpt3["acc"], "D", color=ORANGE, ms=8)
    ax.annotate("small Pythias:\nthe curve is fitted here", (4.3, 44), color=BLUE, va="bottom", ha="center")
    ax.annotate("GPT-3, up to 175 billion", (1.55, 78), color=ORANGE, ha="right")
    ax.annotate("Mamba, RWKV, GPT-J, OPT", (1.35, 51), color=GREEN)
    ax.set(xlim=(5.6, 0.35), ylim=(0, 86), xlabel="m, loss, nats a word: better to the right", ylabel="accuracy, %")
    return fig


def k_of_k():
    gpt3, pythia = computed.gpt3(), computed.pythia()
    fig, axes = plt.subplots(1, 2, figsize=WIDE, sharey=True)
    for table, acc, colour in ((pythia.reset_index(), pythia["acc"], ORANGE), (gpt3, gpt3["acc"], BLUE)):
        score = 100 * np.asarray(acc) ** 20
        axes[0].plot(table["params"] / 1e9, score, "o-", color=colour)
        axes[1].plot(table["cross_entropy"], score, "o-", color=colour)
    axes[0].set(xscale="log", xlabel="parameters, billions", ylabel="20 words, all right, %")
    axes[0].set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    axes[1].set(xlim=(3, 1), xlabel="m, loss, nats a word", title="against the loss: one curve")
    axes[0].set_title("against size: two curves")
    axes[0].annotate("Pythia", (14, 0.07), color=ORANGE)
    axes[0].annotate("GPT-3", (50, 0.32), color=BLUE, ha="right")
    return fig


def digits():
    one, all_read = computed.lenets()
    fig, axes = plt.subplots(1, 2, figsize=WIDE, sharey=True)
    looks = (
        (axes[0], one, BLUE, "one digit read"),
        (axes[1], all_read, ORANGE, f"{computed.LENET_K} digits, all read"),
    )
    for ax, score, colour, title in looks:
        ax.plot(score.index, 100 * score, "o-", color=colour)
        ax.set(xscale="log", title=title, xlabel="parameters", ylim=(0, 104))
    axes[0].set_ylabel("score, %")
    return fig


def thresholds():
    mean, soft, hard = computed.autoencoders()
    fig, axes = plt.subplots(1, 2, figsize=WIDE)
    axes[0].plot(mean.index, mean, "o-", color=BLUE)
    axes[0].set(title="mean squared error", xscale="log", yscale="log", ylabel="error of a picture")
    for share, c, colour in ((soft, computed.SOFT_C, GREEN), (hard, computed.HARD, ORANGE)):
        axes[1].plot(share.index, 100 * share, "o-", color=colour)
        axes[1].annotate(f"below {c}", (share.index[-1], 100 * share.iloc[-1]), xytext=(0, -26),
                         textcoords="offset points", color=colour, ha="right", va="top")  # fmt: skip
    axes[0].set_yticks([10, 20, 50], ["10", "20", "50"])
    axes[0].minorticks_off()
    axes[1].set(title="pictures with a small error", xscale="log", ylabel="share, %", ylim=(0, 104))
    for ax in axes:
        ax.set_xlabel("units in the middle")
    return fig


def letters():
    table = computed.olmo()
    fig, axes = plt.subplots(1, 2, figsize=WIDE)
    small = (table["size"] != "7B").to_numpy()
    for ax, column, colour, title in (
        (axes[0], "rc_bpb", GREEN, "loss of the text, bits a byte"),
        (axes[1], "mc_letter_bits", ORANGE, "loss of the letter, bits"),
    ):
        ax.plot(table["flops"][small], table[column][small], "o", color=colour)
        ax.plot(table["flops"][~small], table[column][~small], "D", color=colour, ms=9)
        ax.annotate(
            "7B",
            (table["flops"].iloc[-1], table[column].iloc[-1]),
            xytext=(-14, 0),
            textcoords="offset points",
            ha="right",
            va="center",
        )
        ax.set(title=title, xscale="log", xlabel="training compute, FLOP", ylim=(0, None))
    axes[1].axhline(table["blind_bits"].iloc[0], color=INK, ls=":", lw=1.5)
    axes[1].annotate("blind guess", (table["flops"].iloc[0], 1.72))
    return fig


def training():
    before, after = computed.sums("ladder"), computed.sums("ladder-8000")
    fig, axes = plt.subplots(1, 2, figsize=WIDE)
    for ax, column, scale, title in (
        (axes[0], "exact_match", 100, "sums right, %"),
        (axes[1], "cross_entropy", 1, "loss, nats a digit"),
    ):
        ax.plot(before["params"], scale * before[column], "o", color=BLUE, alpha=0.7)
        ax.plot(after["params"], scale * after[column], "D", color=ORANGE, ms=10)
        ax.set(xscale="log", title=title, xlabel="parameters", ylim=(0, None))
    axes[0].annotate("twice the training", (4e3, 24), color=ORANGE)
    axes[0].annotate("one dot a model", (4e3, 12), color=BLUE)
    return fig


def noise():
    """What curves without a jump score, by the number of models."""
    fig, ax = plt.subplots(figsize=WIDE)
    for row, n in enumerate((4, 8, 20)):
        ax.plot(np.quantile(stats.emergence_null(n), [0.05, 0.95]), [row, row], lw=16, color=figures.SKY)
        ax.plot(n - 1, row, "x", color=INK, ms=12, mew=3)
    for words, colour in ((1, BLUE), (20, ORANGE)):
        score = stats.emergence_score(computed.all_right(words))
        ax.plot(score, 1, "o", color=colour, ms=11)
        ax.annotate(f"{words} word{'s' * (words > 1)}", (score, 1.2), color=colour, ha="center")
    ax.annotate("pure noise", (0, 2.3), ha="center")
    ax.annotate("straight line", (19, 2.3), ha="center")
    ax.set(yticks=range(3), yticklabels=["4 models", "8 models", "20 models"], xlabel="emergence score")
    ax.set(ylim=(-0.5, 2.7), xlim=(-7, 23))
    return fig


def text_loss():
    """The text ladder: the loss a character, and eight characters right."""
    from mirage_lib import metrics

    table = kept.load("ladder-text-continuation")
    loss = metrics.cross_entropy(table).astype(float).groupby(table["params"]).mean() / 16
    right = 100 * computed.exam().groupby("params")["right"].mean()
    fig, axes = plt.subplots(1, 2, figsize=WIDE)
    for ax, y, colour, title in (
        (axes[0], loss, BLUE, "loss, nats a character"),
        (axes[1], right, ORANGE, "8 characters right, %"),
    ):
        ax.plot(y.index, y, "o-", color=colour)
        ax.set(xscale="log", title=title, xlabel="parameters", ylim=(0, None))
    return fig


FIGURES = {
    draw.__name__.replace("_", "-"): draw
    for draw in (
        twenty_words, two_rules, five_words, boxes, chain, lengths, window, axes_three, exams, few_sizes, gpt3_sums,
        naive, one_curve, k_of_k, digits, thresholds, letters, training, noise, text_loss,
    )
}  # fmt: skip


def use_style() -> None:
    """The book's style, its letters larger."""
    figures.use_style()
    plt.rcParams.update({"font.size": 17, "axes.titlesize": 17, "lines.linewidth": 3, "lines.markersize": 8})
