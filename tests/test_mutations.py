"""Faults, planted one at a time in the library, its tools and what decides claims: the unit tests catch each of them.

The tests run in forks of one process that has imported all but the library (`warm.py`): a fault costs about a second.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sample_book

ROOT = sample_book.ROOT
TESTS = {
    "passes": "lm",
    "import_published": "published",
    "report": "audit",
}  # where the tests of a module have another's name
# what the fault is -> (module, its tests, what stands there, what the fault makes of it)
FAULTS = {
    "sign of the exponent": ("theory", "scaling_law", "/ c) ** alpha", "/ c) ** -alpha"),
    "one token too many": ("theory", "accuracy_and", "** np.asarray(length)\n", "** (np.asarray(length) + 1)\n"),
    "right taken for wrong": ("theory", "distance", "* (1 - _probability(p))\n", "* _probability(p)\n"),
    "parameters exchanged": (
        "where_the_formula_bends",
        "beta",
        "betaln(np.asarray(a) + length, b)",
        "betaln(np.asarray(b) + length, a)",
    ),
    "sign of the entropy": (
        "where_the_formula_bends",
        "any_order",
        "axis=-1) / (1 - order)",
        "axis=-1) / (order - 1)",
    ),
    "a probability above one": ("theory", "lies_in_0", "if not ((p >= 0) & (p <= 1)).all():", "if False:"),
    "sign of the cross-entropy": ("metrics", "expected_accuracy", "0.0 - np.add.reduceat", "np.add.reduceat"),
    "any for all": ("metrics", "exact_match", "np.logical_and.reduceat", "np.logical_or.reduceat"),
    "forgotten square": ("metrics", "brier", "(1 - probability[answer]) ** 2", "(1 - probability[answer])"),
    "swapped axis": ("stats", "emergence_score", "np.diff(curves, axis=1)", "np.diff(curves, axis=0)"),
    "half of the interval": ("stats", "mean_interval", "mean - half, mean + half", "mean - half / 2, mean + half / 2"),
    "an interval that leaves the range": (
        "stats",
        "stay_inside",
        "if within and bounded is not False:",
        "if not within:",
    ),
    "a level of 95": ("stats", "a_level", "if not 0 < level < 1:", "if not 0 < level < 100:"),
    "one item too few": ("stats", "items_needed", "int(n[fails[-1]]) + 1", "int(n[fails[-1]])"),
    "questions among the examples": ("tasks", "is_right", "operands(digits, False,", "operands(digits, True,"),
    "a place that gives itself away": ("tasks", "goes_on_on_its", "(?:  |(.)", "(?:   |(.)"),
    "an option of equal value": ("tasks", "no_wrong_option", 'character in "0123456789"]', "character.isdigit()]"),
    "a mark read as text": ("tasks", "a_mark", '"utf-8-sig"', '"utf-8"'),
    "the first value for the last": ("forecast", "forecast_to_beat", "y[x == x.max()]", "y[x == x.min()]"),
    "an error too few": ("forecast", "by_hand", "(len(past) + 1) * level", "len(past) * level"),
    "hidden sizes seen": ("forecast", "leaves_its_interval", "spread([part[:2] for part in parts]", "spread(curves"),
    "as sure of what is far": (
        "forecast",
        "by_hand",
        "value - spread * ahead, value + spread * ahead",
        "value - spread, value + spread",
    ),
    "the near end of a rest": ("compare", "either_side", "(share - 1e-9,", "(share + 1e-9,"),
    "the label read off": ("vision", "read_without", "body[:, ::2]", "body[:, 1::2]"),
    "the seed forgotten": ("vision", "same_seed", "torch.manual_seed(seed)", "torch.manual_seed(0)"),
    "a look at the target": ("passes", "run_once", "device=device) < kept[:, None]", "device=device) <= kept[:, None]"),
    "a place too far": (
        "passes",
        "run_once",
        "position = forced.start + kept\n",
        "position = forced.start + kept + 1\n",
    ),
    "a byte that does not stop": ("lm", "a_byte", '("\\n", "Ċ", "<0x0A>")', '("\\n", "Ċ")'),
    "a token beyond the limit": (
        "lm",
        "may_be_as_long",
        "if limit and needed > limit > 0:",
        "if limit and needed - 1 > limit:",
    ),
    "an encoder": ("passes", "looks_ahead", "if _differ(one, two, network.dtype):", "if False:"),
    "shared unseen": ("passes", "local_window", "if _differ(alone, torch.stack(logits), network.dtype):", "if False:"),
    "tried only once": (
        "passes",
        "is_checked_though",
        "if needed <= before:",
        "if before:",
    ),
    "what others may not see": ("caches", "is_that_of_torch", "if hidden is not None:", "if False:"),
    "rows beyond the first few": ("caches", "is_that_of_torch", "key[:, part].mT", "key[:, : part.stop - start].mT"),
    "an attention that stays": (
        "caches",
        "as_it_was",
        "finally:\n        config._attn_implementation_internal = was",
        "finally:\n        pass",
    ),
    "mass in holes": ("passes", "holes_are_read", "if self.holes:", "if False:"),
    "the largest id left out": ("lm", "holes_are_read", "min(max(ids) + 1,", "min(max(ids),"),
    "no number taken for one": ("passes", "overflow", "if not logits.max().isfinite():", "if False:"),
    "settings of the whole": ("lm", "text_and_images", ".config.get_text_config(decoder=True)", ".config"),
    "the model's own stop": ("lm", "what_the_model_ends", "set(ends if isinstance(ends, list) else [ends])", "set()"),
    "two beginnings": ("lm", "own_beginning", "yield ids[1:] if twice else ids", "yield ids"),
    "a newline that is gone": (
        "lm",
        "drops_is_no",
        'if "\\n" in row.text and row.target[-1] not in ends:',
        "if False:",
    ),
    "an answer that is no option": ("lm", "with_holes_is", "options[row.answer] != row.target", "False"),
    "no room for the answer": ("passes", "room_for_long", "(copied + width + reading.max_tokens)", "(copied + width)"),
    "another revision": ("sweep", "taken_for_another", "cell.model, cell.revision, *sorted", "cell.model, *sorted"),
    "another precision": ("sweep", "taken_for_another", ", *sorted(loading.items()))", ")"),
    "no temperature": (
        "sweep",
        "taken_for_another",
        "if name not in LOADING}",
        'if name not in (*LOADING, "temperature")}',
    ),
    "a question counted again": ("sweep", "several_seeds", 'f"{prompt[cut:]}', 'f"{seed}{prompt[cut:]}'),
    "one shot set of all seeds": ("sweep", "several_seeds", "+ seed * (table", "+ 0 * (table"),
    "settings not in the key": ("sweep", "key_changes", '"settings": settings,', '"settings": {},'),
    "a file that is there is whole": (
        "sweep",
        "damaged",
        "return items.read_arrow(file).num_rows > 0",
        "return file.exists()",
    ),
    "an option without tokens": (
        "items",
        "what_is_wrong",
        'if name != "output" and (lengths',
        'if name == "is_greedy" and (lengths',
    ),
    "an option above certainty": (
        "items",
        "what_is_wrong",
        'if name in ("logprob", "choice_logprob")',
        'if name in ("logprob",)',
    ),
    "checksums not read": (
        "items",
        "flipped_bit",
        "page_checksum_verification=True",
        "page_checksum_verification=False",
    ),
    "checksums not written": ("items", "flipped_bit", "write_page_checksum=True", "write_page_checksum=False"),
    "a token more": ("items", "first_tokens_cuts", "values[place < length]", "values[place <= length]"),
    "a probability for a hit": ("items", "what_is_wrong", "        if wrong:\n", "        if False:\n"),
    "anybody's Pythia": (
        "families",
        "somebody",
        'in set(members(name)["model"])',
        '.endswith(name[6:]) and "/pythia-" in model',
    ),
    "embeddings counted twice": ("families", "tied", "(0 if outer is inner else outer.numel())", "outer.numel()"),
    "random weights": ("families", "lack_a_part", 'if info["missing_keys"]:', "if False:"),
    "pickled weights": ("families", "pickled", "use_safetensors=True", "use_safetensors=None"),
    "a folder that is not home": ("families", "from_home", "Path(model).expanduser()", "Path(model)"),
    "out of range": (
        "import_published",
        "planted_fault",
        "and not values.between(rule.low, rule.high).all()",
        "and False",
    ),
    "rows twice": ("import_published", "planted_fault", "frame.duplicated(table.key).any()", "False"),
    "rows lost": ("import_published", "lost_row", "if len(frame) != table.rows:", "if False:"),
    "another table": (
        "published",
        "changed_file",
        'if hashlib.sha256(content).hexdigest() != source.pop("sha256"):',
        'if not source.pop("sha256"):',
    ),
    "nobody's numbers": ("published", "attrs_say", "frame.attrs.update(source)", "frame.attrs.clear()"),
    "answers for questions": ("scores", "counts_once", ".mean() if again else", ".mean() if False else"),
    "the spread for the error": ("scores", "their_errors", "groups[name].sem()", "groups[name].std()"),
    "a gap in what tells apart": ("scores", "left_out", "if gaps := items[name].isna().sum():", "if gaps := 0:"),
    "the first for the last": ("cli", "checkpoints_by_name", ".tail(1)", ".head(1)"),
    "no options": ("cli", "tasks_by_name", "tasks.multiple_choice(table, choices) for", "table for"),
    "one seed of several": (
        "cli",
        "tasks_by_name",
        "tables += sweep.seeded(make, seeds)",
        "tables += sweep.seeded(make, seeds[:1])",
    ),
    "one metric for another": ("logs", "allowed_is", '_accuracy: "logprob"', '_accuracy: "is_greedy"'),
    "tokens of whole answers": ("logs", "allowed_is", 'if "is_greedy" in has and not', 'if "is_greedy" in has or not'),
    "a filter of another name": (
        "logs",
        "early_versions",
        "len(names) > 1 and wanted not in names:",
        "wanted is None:",
    ),
    "options without the question": ("logs", "right_option", "several[: len(several) // 2]", "several"),
    "an answer against the score": (
        "logs",
        "contradicts",
        "None not in answers and logged == hits",
        "None not in answers",
    ),
    "the oldest run": ("logs", "told_apart", "for run in sorted(results):", "for run in sorted(results)[::-1]:"),
    "half right for right": ("logs", "test_inspect_ai", '"P": 0.5', '"P": 1.0'),
    "a file that is no table": ("logs", "odd_files", "if not isinstance(row, dict):", "if False:"),
    "worse than chance": ("audit", "below_chance", "column.clip(lower=", "column.clip(upper="),
    "items that do not pair": (
        "audit",
        "items_pair",
        "covariance * np.outer",
        "np.diag(np.diag(covariance)) * np.outer",
    ),
    "a jump from the start": ("audit", "begins_with", "& (shape[0] >= FLOOR)", "& (shape[0] >= 0)"),
    "half of the rise": ("audit", "straight_line", "shape[2] - shape[0] < SHARP", "shape[2] - shape[1] < SHARP"),
    "blocks that fall": ("compare", "many_curves", "np.minimum.accumulate(means", "np.maximum.accumulate(means"),
    "without power": ("audit", "little_power", 'row["power"] >= POWER:\n        told', "True:\n        told"),
    "a hole unseen": ("audit", "a_hole", 'if row["gap"] > SHARP:', "if False:"),
    "not given back": ("audit", "nobodys", "[smooth & given, smooth, both]", "[smooth, smooth, both]"),
    "rows that repeat": ("audit", "cannot_be_told", 'rows.duplicated(["model", scale])', 'rows["model"].isna()'),
    "one error for all": (
        "audit",
        "one_bad",
        "            if wrong is None:\n                raise\n",
        "            raise\n",
    ),
    "bars below zero": ("report", "range_of_a_share", "np.minimum(bar, [values, 1 - values]) if share else bar", "bar"),
    "a formula in a name": ("report", "range_of_a_share", '.replace("$", r"\\$")', ""),
    "names for half of the figure": ("report", "range_of_a_share", """('id="', 'href="#', "url(#")""", """('id="',)"""),
    "one score for all": ("report", "draws_the_curves", "one[scale], one[name],", "one[scale], one[names[0]],"),
}


@pytest.fixture(scope="module")
def warm():
    """The process in whose forks the tests run."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "PYTEST"))}
    environment["PYTHONPATH"] = os.pathsep.join(str(ROOT / name) for name in ("", "tests", "tools"))
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "OMP_NUM_THREADS": "1"}
    environment["CI"] = "true"  # pytest then writes longer reports: they must come to an end too
    command = [sys.executable, str(ROOT / "tests" / "warm.py")]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=-1, stdout=-1, text=True) as process:
        yield process
        process.stdin.close()


def run_tests(warm, log: Path, *named: tuple[str, str], **fault: str) -> int:
    """Run unit tests, each named by module and word, against the library with a fault, up to the first that fails."""
    named = [(f"test_{TESTS.get(module, module)}", word) for module, word in named]
    words = " or ".join(f"({module} and {word})" for module, word in named)
    tests = ["-q", "-x", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(ROOT), "-k", words]
    tests += [str(ROOT / "tests" / f"{module}.py") for module in sorted({module for module, _ in named})]
    print(json.dumps({"tests": tests, "log": str(log)} | fault), file=warm.stdin, flush=True)
    return int(warm.stdout.readline())


def test_library_without_faults_passes(warm, tmp_path):
    code = run_tests(warm, tmp_path / "log", *sorted({(module, word) for module, word, *_ in FAULTS.values()}))
    assert code == 0, (tmp_path / "log").read_text()


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_caught(warm, tmp_path, fault):
    module, word, sound, faulty = FAULTS[fault]
    folders = ("mirage_lib", "tools", "book/claims")
    (file,) = (path for path in (ROOT / folder / f"{module}.py" for folder in folders) if path.exists())
    source = file.read_text()
    assert source.count(sound) == 1, f"the line for {fault!r} has changed: adapt it in this test"
    code = run_tests(warm, tmp_path / "log", (module, word), module=module, source=source.replace(sound, faulty))
    report = (tmp_path / "log").read_text()
    assert code == 1, report
    # a test failed; the module could be read
    assert "SyntaxError" not in report and "ERROR collecting" not in report
