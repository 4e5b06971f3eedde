"""Claims of the chapter bigbench."""

from functools import cache

import numpy as np
import pandas as pd
from scipy.stats import fisher_exact, mannwhitneyu
from scipy.stats.contingency import odds_ratio

from mirage_lib import published, stats
from mirage_lib.claims import Finding

from . import holds
from .planting import counts, ends, item_correlation, jump, line

HARSH = ("multiple_choice_grade", "exact_str_match")


@cache
def curves(least=20, draws=1000) -> pd.DataFrame:
    """Every task of BIG-G with at least so many items: its curve over twelve sizes against a straight line.

    The line has the same rise; the null draws right answers to as many items, hard items being shared between sizes
    (`item_correlation`). One row a task: `n` items; emergence `score`; `p`, how often the line scores as high; `level`,
    how often the test calls the line a jump at p <= 0.05; `power`, how often the same rise in the last step; `rise`;
    `late`, the share of the rise from 27b to 128b; `metric`, `category` (Wei et al. 2022), `emergent`.
    """
    rng, rows = np.random.default_rng(12), []
    about = published.bigg_tasks().query("items == 'A' and shots == 3").drop_duplicates("benchmark")
    about = about.set_index("benchmark")
    for task, group in published.bigg_items().groupby("task"):
        hits = group.pivot(index="item", columns="params", values="is_greedy").to_numpy(bool)
        n, scores = len(hits), hits.mean(0)
        if n < least:
            continue
        rho, score = item_correlation(hits), stats.emergence_score(scores)
        null = np.sort(stats.emergence_score(counts(line(scores), n, draws, rng, rho)))
        jumps = stats.emergence_score(counts(jump(scores), n, draws, rng, rho))
        p, p_line, p_jump = (
            (1 + len(null) - np.searchsorted(null, each)) / (1 + len(null)) for each in (score, null, jumps)
        )
        floor, top = ends(scores)
        rows.append(
            {"task": task, "n": n, "score": score, "p": p}
            | {"level": (p_line <= 0.05).mean(), "power": (p_jump <= 0.05).mean(), "rise": top - floor}
            | {"late": (scores[-1] - scores[-2]) / (top - floor) if top > floor else np.nan}
            | {"metric": about["preferred_metric"].get(task), "category": about["wei2022_category"].get(task)}
            | {"emergent": bool(about["emergent"].get(task, False))}
        )
    return pd.DataFrame(rows)


def sure(p, level=0.05) -> int:
    """How many p-values are small enough for a false discovery rate of `level` (Benjamini & Hochberg 1995)."""
    ordered = np.sort(p)
    under = ordered <= level * np.arange(1, len(ordered) + 1) / len(ordered)
    return int(under.nonzero()[0].max(initial=-1)) + 1


def by_luck(table: pd.DataFrame, draws=20_000) -> np.ndarray:
    """How many of these tasks would pass if every curve were a straight line, so many draws."""
    return (np.random.default_rng(0).random((draws, len(table))) < table["level"].to_numpy()).sum(1)


def more_curves_stand_out_than_by_luck(tolerance: float) -> Finding:
    """Figure 5A on BIG-G: how often straight lines, measured with as many items, pass as often; level of the test.

    Planted: as large a share of tasks as BIG-bench has called emergent jumps in the last step, the rest is straight.
    """
    table = curves()
    passed, luck = int((table["p"] <= 0.05).sum()), by_luck(table)
    p = (1 + (luck >= passed).sum()) / (1 + len(luck))
    found = f"{passed} of {len(table)} tasks pass, {luck.mean():.1f} would by luck (p = {p:.3f}); "
    found += f"{sure(table['p'])} at a false discovery rate of 5 %; "
    found += f"mean power for a jump in the last step {table['power'].mean():.2f}, "
    rng, many = np.random.default_rng(1), (1000, len(table))
    share = published.bigbench_tasks()["emergent"].mean()
    jumps = np.where(rng.random(many) < share, table["power"], table["level"])
    drawn = (rng.random(many) < jumps).sum(1)
    power = np.mean([(1 + (luck >= count).sum()) / (1 + len(luck)) < tolerance for count in drawn])
    found += f"power if {share:.0%} of the tasks jump {power:.2f}"
    return holds(p < tolerance, found) if power >= 0.8 else Finding("not testable here", found)


def few_metrics_score_emergent(tolerance: float) -> Finding:
    """Figure 5A as printed: at most so many of 39. BIG-G's logs hold four metrics, and the threshold is unknown."""
    passes = curves().groupby("metric")["p"].min() <= 0.05
    verdict = "holds" if passes.sum() <= tolerance else "fails"
    found = f"{passes.sum()} of {len(passes)} metrics here have a task that passes; the paper has 39"
    return Finding("not testable here" if len(passes) < 39 else verdict, found)


def four_metrics_by_hand(tolerance: float) -> Finding:
    """Preferred metrics of the tasks that Wei et al. call emergent, at most so many."""
    tasks = published.bigbench_tasks()
    count = tasks.loc[tasks["emergent"], "preferred_metric"].nunique()
    return holds(count <= tolerance, f"{count} of {tasks['preferred_metric'].nunique()} metrics by our count")


def two_metrics_carry_emergence(tolerance: float) -> Finding:
    """Share of emergent tasks with one of two harsh metrics, above one less the tolerance."""
    emergent = published.bigbench_tasks().query("emergent")["preferred_metric"].isin(HARSH)
    return holds(emergent.mean() > 1 - tolerance, f"{emergent.sum()} of {len(emergent)}, {emergent.mean():.0%}")


def base_rates(tasks: pd.DataFrame) -> pd.DataFrame:
    """For each harsh metric: tasks called emergent and others that have it, and the odds ratio with its interval."""
    rows = []
    for metric in HARSH:
        has, called = tasks["preferred_metric"] == metric, tasks["emergent"]
        table = [[int((has & c).sum()), int((~has & c).sum())] for c in (called, ~called)]
        low, high = odds_ratio(table).confidence_interval(0.95)
        rows.append(
            {"metric": metric, "emergent": table[0], "others": table[1]}
            | {"odds_ratio": odds_ratio(table, kind="sample").statistic, "low": low, "high": high}
            | {"p": fisher_exact(table).pvalue}
        )
    return pd.DataFrame(rows).set_index("metric")


def both_metrics_go_with_emergence(tolerance: float) -> Finding:
    """Odds ratio of having a metric and being called emergent: its interval lies above this, for each metric."""
    rates = base_rates(published.bigbench_tasks())
    above = int((rates["low"] > tolerance).sum())
    found = "; ".join(f"{m}: {r.odds_ratio:.1f} ({r.low:.1f} to {r.high:.1f})" for m, r in rates.iterrows())
    # an odds ratio of 3.4 planted at the base rate of each metric; intervals of Woolf (1955)
    rng, power = np.random.default_rng(3), []
    for (k, rest), (base, others) in zip(rates["emergent"], rates["others"], strict=True):
        odds = 3.4 * base / others
        a = rng.binomial(k + rest, odds / (1 + odds), 1000)
        b = rng.binomial(base + others, base / (base + others), 1000)
        cells = np.stack([a, k + rest - a, b, base + others - b]) + 0.5
        ratio = np.log(cells[0] * cells[3] / cells[1] / cells[2])
        power.append(np.mean(ratio > 1.96 * np.sqrt((1 / cells).sum(0))))
    found += f"; power at an odds ratio of 3.4: {power[0]:.2f} and {power[1]:.2f}"
    return Finding("not testable here" if min(power) < 0.8 else ("fails", "holds in part", "holds")[above], found)


def exact_match_jumps_and_multiple_choice_does_not(tolerance: float) -> Finding:
    """Tasks that pass, by metric, among those where the test would see a jump; level of Fisher's test."""
    table, found, cells = curves(), [], []
    for rows in (table, table[table["power"] >= 0.8]):
        passes = [rows.loc[rows["metric"] == metric, "p"] <= 0.05 for metric in HARSH[::-1]]
        cells = [[int(each.sum()), int((~each).sum())] for each in passes]
        found.append(
            f"{passes[0].sum()} of {len(passes[0])} against {passes[1].sum()} of {len(passes[1])} "
            f"(p = {fisher_exact(cells).pvalue:.3f})"
        )
    hit, miss = cells[0]
    rng, n = np.random.default_rng(1), (hit + miss, sum(cells[1]))
    drawn = zip(rng.binomial(n[0], hit / n[0], 1000), rng.binomial(n[1], 0.02, 1000), strict=True)
    power = np.mean([fisher_exact([[u, n[0] - u], [v, n[1] - v]]).pvalue < tolerance for u, v in drawn])
    verdict = "holds" if fisher_exact(cells).pvalue < tolerance else "fails"
    return Finding(
        "not testable here" if power < 0.8 else verdict,
        f"all tasks: {found[0]}; where a jump would be seen: {found[1]}, power {power:.2f}",
    )


def tasks_called_emergent_rise_late(tolerance: float) -> Finding:
    """Share of the rise from 27b to 128b: larger in tasks called emergent with GPT-3 or LaMDA than in others; level."""
    table = curves()
    table = table[table["rise"] > 0.1]
    called = table["category"] == "emergent:gpt3_lamda"
    late, others = table.loc[called, "late"], table.loc[~called, "late"]
    p, rng = mannwhitneyu(late, others, alternative="greater").pvalue, np.random.default_rng(2)

    def says(truth) -> float:
        """How often the called tasks rise later, if each of them is this truth, measured with its own items."""
        yes = 0
        for _ in range(200):
            drawn = []
            for n, rise in zip(table.loc[called, "n"], table.loc[called, "rise"], strict=True):
                floor = 0.3 * (rise < 0.7)
                scores = counts(truth([floor] * 11 + [floor + rise]), n, 1, rng)[0]
                low, high = ends(scores)
                drawn.append((scores[-1] - scores[-2]) / (high - low) if high > low else 0)
            yes += mannwhitneyu(drawn, others, alternative="greater").pvalue < tolerance
        return yes / 200

    alarms, power = says(line), says(jump)
    found = (
        f"median {late.median():.2f} of {len(late)} tasks against {others.median():.2f} of {len(others)}, p = {p:.4f}"
    )
    decides = power >= 0.8 and alarms <= 0.05
    return Finding(
        ("holds" if p < tolerance else "fails") if decides else "not testable here",
        f"{found}; false alarms {alarms:.2f}, power {power:.2f}",
    )


def infinite_score_by_luck(tolerance: float) -> Finding:
    """Share of infinite emergence scores when eight equal models answer 20 items with a success rate of 2 %."""
    exams = np.random.default_rng(9).binomial(20, 0.02, size=(4000, 8)) / 20
    share = np.mean(np.isinf(stats.emergence_score(exams)))
    return holds(share > tolerance, f"{share:.0%} of exams without any difference between models")
