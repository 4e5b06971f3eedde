"""The ladder: its data is right, its training ends at the same weights however it is interrupted."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import ladder
import numpy as np
import pytest
import tiny_models
import torch
from joblib import Parallel, delayed
from ladder import Cell

from mirage_lib import families, lm, tasks

STEPS = 24
RECIPE = Cell("arithmetic", "3k", 0)
SMALL = RECIPE._replace(steps=STEPS)
PROBLEM = re.compile(r"(\d+)([+*])(\d+)=(\d+)")


def text(ids, family="arithmetic") -> str:
    return "".join(ladder.VOCABULARY[family][i] for i in ids)


# ---------------------------------------------------------------- rungs


def test_rungs_are_geometric_with_one_head_dimension_and_several_seeds_below_300_000():
    sizes = []
    for rung, (width, layers) in ladder.RUNGS.items():
        with torch.device("meta"):
            model = ladder.new_model(rung, 0)
        config = model.config
        assert config.hidden_size // config.num_attention_heads == 16
        assert config.model_type == "gpt_neox"
        assert config.use_parallel_residual and not config.tie_word_embeddings
        assert config.rope_parameters["partial_rotary_factor"] == 0.25
        assert (config.intermediate_size, config.num_hidden_layers) == (
            (1 if rung == ladder.THIN else 4) * width,
            layers,
        )
        sizes.append(families.non_embedding(model))
        # the name says about the size
        named = float(rung[:-1]) * {"k": 1e3, "m": 1e6}[rung[-1]]
        assert named == pytest.approx(sizes[-1], rel=0.12)
        for family, steps in ladder.TRAININGS:
            seeds = [cell.seed for cell in ladder.cells(family) if (cell.rung, cell.steps) == (rung, steps)]
            several = sizes[-1] < (800_000 if family == "arithmetic" else 300_000)
            assert sorted(seeds) in ([], [0, 1, 2] if several else [0])
            assert layers > 1 or family == "arithmetic" or not seeds
    assert len(sizes) >= 10
    assert all(len({cell.rung for cell in ladder.cells(family)}) >= 9 for family in ladder.VOCABULARY)
    assert sizes[0] < 4000 and 2e6 < sizes[-1] < 3e6
    for family in ladder.VOCABULARY:
        rungs = {cell.rung for cell in ladder.cells(family)}
        ratios = np.diff(np.log([size for size, rung in zip(sizes, ladder.RUNGS, strict=True) if rung in rungs]))
        assert (ratios > np.log(1.15)).all() and (ratios < np.log(4)).all()


def test_every_cell_is_trained_once_the_largest_first():
    cells = ladder.cells()
    assert len({cell.name for cell in cells}) == len(cells)
    assert {(cell.family, cell.steps) for cell in cells} == set(ladder.TRAININGS)
    order = [list(ladder.RUNGS).index(cell.rung) for cell in cells]
    assert order == sorted(order, reverse=True)


def test_a_seed_fixes_the_start():
    same, again, other = (dict(ladder.new_model("7k", seed).named_parameters()) for seed in (0, 0, 1))
    assert all(torch.equal(same[name], again[name]) for name in same)
    assert not any(torch.equal(same[name], other[name]) for name in same if same[name].ndim == 2)


def test_an_untrained_model_knows_nothing():
    for family, vocabulary in ladder.VOCABULARY.items():
        model = ladder.new_model("57k", 0, family)
        ids, answer = ladder.sequences(family, 0, 0, n=50)
        loss = tiny_models.answer_loss(model, ids, answer)
        assert abs(loss - np.log(len(vocabulary))) < 0.3


# ---------------------------------------------------------------- tokenizer and data


@pytest.mark.parametrize(
    ("family", "line"), [("arithmetic", "12+34=46\n9*9=81\n"), ("text", "if x[0] != '~':  # why?\n    y += `1`\n")]
)
def test_the_tokenizer_gives_back_what_it_took(tmp_path, family, line):
    from transformers import AutoTokenizer

    vocabulary = ladder.VOCABULARY[family]
    ladder.tokenizer(family).save_pretrained(tmp_path)
    for tokenizer in (ladder.tokenizer(family), AutoTokenizer.from_pretrained(tmp_path)):
        ids = tokenizer(line + ladder.END)["input_ids"]
        assert ids == [*(vocabulary.index(c) for c in line), 0] == [*ladder.token_ids(family, line), 0]
        assert tokenizer.decode(ids) == line + ladder.END
        assert len(tokenizer) == len(vocabulary)
        assert tokenizer.eos_token_id == 0
        assert set(lm.stops(tokenizer)) == {0, 1}


@pytest.mark.parametrize("family", ladder.VOCABULARY)
def test_sequences_are_the_same_again_and_differ_by_seed_and_chunk(family):
    first = ladder.sequences(family, 0, 0, n=50)
    for one, two in zip(first, ladder.sequences(family, 0, 0, n=50), strict=True):
        np.testing.assert_array_equal(one, two)
    for seed, chunk in [(1, 0), (0, 1)]:
        assert (ladder.sequences(family, seed, chunk, n=50)[0] == first[0]).mean() < 0.6
    assert first[0].shape == first[1].shape == (50, ladder.LENGTH[family])


def test_text_is_read_as_it_is_and_every_character_counts():
    ids, counted = ladder.sequences("text", 1, 5, n=50)
    read = ladder.training_text()
    assert counted.all()
    assert all(text(row, "text") in read for row in ids)


@pytest.mark.parametrize(("seed", "chunk"), [(0, 0), (1, 5)])
def test_every_line_is_right_and_only_its_answer_counts(seed, chunk):
    ids, answer = ladder.sequences("arithmetic", seed, chunk, n=200)
    kinds = {}
    for row, counts in zip(ids.tolist(), answer.tolist(), strict=True):
        for line, mask in zip(text(row).splitlines(keepends=True), lines_of(row, counts), strict=True):
            question = line.split("=")[0] + "="
            # what comes after the sign, with the newline; the last line may be cut
            assert mask == [False] * min(len(line), len(question)) + [True] * max(0, len(line) - len(question))
            if not line.endswith("\n"):
                continue
            a, symbol, b, result = PROBLEM.fullmatch(line.strip()).groups()
            assert int(result) == (int(a) + int(b) if symbol == "+" else int(a) * int(b))
            assert len(a) == len(b)
            kinds[symbol, len(a)] = kinds.get((symbol, len(a)), 0) + 1
    assert set(kinds) == {(tasks.SYMBOLS[operation][0], digits) for operation, digits in ladder.MIXTURE}


def lines_of(row, counts):
    """The mask of a row, cut after every newline."""
    found = [[]]
    for token, counted in zip(row, counts, strict=True):
        found[-1].append(counted)
        if token == 1:
            found.append([])
    return [mask for mask in found if mask]


def test_the_mixture_is_what_it_says():
    ids, _ = ladder.sequences("arithmetic", 0, 0)
    first = [text(row[:12]).split("=")[0] for row in ids.tolist()]
    assert sum(ladder.MIXTURE.values()) == pytest.approx(1)
    for (operation, digits), wanted in ladder.MIXTURE.items():
        symbol = tasks.SYMBOLS[operation][0]
        share = np.mean([len(question) == 2 * digits + 1 and question[digits] == symbol for question in first])
        assert share == pytest.approx(wanted, abs=5 * np.sqrt(wanted * (1 - wanted) / len(ids)))


def test_the_loss_is_that_of_the_answers(tmp_path, monkeypatch):
    """The first loss of a training equals the one computed token by token."""
    monkeypatch.setattr(ladder, "BATCH", 4)
    cell = SMALL._replace(steps=1)
    ladder.train(cell, tmp_path)
    ids, answer = ladder.sequences(SMALL.family, SMALL.seed, 0)
    model = ladder.new_model(SMALL.rung, SMALL.seed)
    losses = []
    for row, counts in zip(torch.from_numpy(ids[:4]), answer[:4], strict=True):
        for t in np.flatnonzero(counts):
            losses.append(-model(row[None, :t]).logits[0, -1].log_softmax(-1)[row[t]].item())
    record = json.loads((tmp_path / cell.name / "training.json").read_text())
    assert record["loss"] == [pytest.approx(np.mean(losses), abs=1e-4)]


# ---------------------------------------------------------------- training


def shorten(patch: pytest.MonkeyPatch):
    """A saving every four steps, and two checkpoints."""
    whole = ladder.sequences
    patch.setattr(ladder, "CHUNK", 4)
    patch.setattr(ladder, "CHECKPOINTS", (6, 16))
    patch.setattr(ladder, "sequences", lambda family, seed, chunk: whole(family, seed, chunk, 4 * ladder.BATCH))


@pytest.fixture
def short(monkeypatch):
    shorten(monkeypatch)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A short training that nothing interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch)
        return ladder.train(SMALL, tmp_path_factory.mktemp("trained"))


def contents(folder: Path) -> dict:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_training_twice_gives_the_same_files(short, trained, tmp_path):
    again = ladder.train(SMALL, tmp_path)
    assert contents(again) == contents(trained)
    names = {"config.json", "model.safetensors", "generation_config.json"}
    checkpoints = {f"step{step}/{name}" for step in (6, 16) for name in names}
    assert set(contents(again)) == names | checkpoints | {"tokenizer.json", "tokenizer_config.json", "training.json"}
    other = ladder.train(SMALL._replace(seed=1), tmp_path)
    assert contents(other)["model.safetensors"] != contents(trained)["model.safetensors"]


class Stop(Exception):
    """What ends a training in these tests."""


def interrupt(patch, countdown: int):
    """Let the training end at one of the moments that matter: a step, or halfway through the writing of a file."""
    left = [countdown]

    def watch(module, name, half):
        real = getattr(module, name)

        def watched(*arguments, **named):
            left[0] -= 1
            if left[0] == 0:
                half(*arguments)
                raise Stop
            return real(*arguments, **named)

        patch.setattr(module, name, watched)

    watch(torch.nn.functional, "cross_entropy", lambda *_: None)
    watch(torch, "save", lambda state, file: Path(file).write_bytes(b"half a file"))
    watch(ladder, "save", lambda model, folder: (folder.mkdir(exist_ok=True), (folder / "config.json").write_text("{")))
    watch(os, "replace", lambda *_: None)


@pytest.mark.parametrize("seed", range(4))
def test_a_training_that_is_interrupted_at_any_moment_ends_the_same(short, trained, tmp_path, seed):
    rng = np.random.default_rng(seed)
    folder, stops = tmp_path / SMALL.name, 0
    for _ in range(50):
        with pytest.MonkeyPatch.context() as patch:
            interrupt(patch, int(rng.integers(4, 16)))
            try:
                ladder.train(SMALL, tmp_path)
                break
            except Stop:
                stops += 1
                # as another process would leave it
                for part in folder.glob("*.part"):
                    part.rename(part.with_name(part.name.replace(str(os.getpid()), "1")))
    assert stops > 3
    assert contents(folder) == contents(trained)


def test_the_last_moments_of_a_training_leave_nothing(short, trained, tmp_path):
    # 24 steps, 5 states and 3 models saved, 6 files moved into place
    for countdown in range(33, 39):
        with pytest.MonkeyPatch.context() as patch:
            interrupt(patch, countdown)
            with pytest.raises(Stop):
                ladder.train(SMALL, tmp_path / str(countdown))
        assert not (tmp_path / str(countdown) / SMALL.name / "training.json").exists()
        assert contents(ladder.train(SMALL, tmp_path / str(countdown))) == contents(trained)


KILLED = """
import sys, time
from pathlib import Path
import pytest, test_ladder
import ladder
test_ladder.shorten(pytest.MonkeyPatch())
sequences = ladder.sequences
def waiting(family, seed, chunk):
    if chunk == 3:
        print("here", flush=True)
        time.sleep(600)
    return sequences(family, seed, chunk)
ladder.sequences = waiting
ladder.train(test_ladder.SMALL, Path(sys.argv[1]))
"""


def test_a_training_that_is_killed_goes_on(short, trained, tmp_path):
    paths = os.pathsep.join(str(Path(__file__).parent.parent / name) for name in ("", "tests", "tools"))
    run = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run.stdout.readline() == "here\n"
    run.send_signal(signal.SIGKILL)
    assert run.wait(60) == -signal.SIGKILL
    run.stdout.close()
    done = []
    with pytest.MonkeyPatch.context() as patch:
        sequences = ladder.sequences
        patch.setattr(ladder, "sequences", lambda *cell: done.append(cell[2]) or sequences(*cell))
        ladder.train(SMALL, tmp_path)
    assert done == [3, 4, 5]  # nothing is done twice
    assert contents(tmp_path / SMALL.name) == contents(trained)


def test_what_is_trained_is_not_trained_again(trained, monkeypatch):
    monkeypatch.setattr(ladder, "new_model", None)
    before = contents(trained)
    assert ladder.train(SMALL, trained.parent) == trained
    assert contents(trained) == before


def test_what_is_missing_is_trained_the_largest_first(tmp_path, monkeypatch):
    monkeypatch.setattr(ladder, "TRAININGS", {("arithmetic", 1): {1: "7k"}, ("text", 1): {1: "7k 10k"}})
    done = ladder.train_all(tmp_path, "text", processes=1)
    assert [path.name for path in done] == ["text-10k-seed0-1", "text-7k-seed0-1"]
    assert all((path / "training.json").exists() for path in done)


def test_two_processes_train_what_one_would(tmp_path):
    cells = [SMALL._replace(steps=2), SMALL._replace(seed=1, steps=2)]
    two = Parallel(n_jobs=2, batch_size=1)(delayed(ladder.train)(cell, tmp_path / "two") for cell in cells)
    for cell, path in zip(cells, two, strict=True):
        assert contents(path) == contents(ladder.train(cell, tmp_path / "one"))


def test_a_trained_model_and_its_checkpoints_are_loaded_by_name(trained, monkeypatch):
    monkeypatch.setattr(families, "LADDER", trained.parent)
    monkeypatch.setitem(families.LADDERS, "ladder", ("arithmetic", STEPS))
    table = families.members("ladder")
    each = ladder.BATCH * ladder.LENGTH["arithmetic"]
    assert table[["revision", "tokens"]].to_numpy().tolist() == [
        ["step6", 6 * each],
        ["step16", 16 * each],
        ["main", 24 * each],
    ]
    digests = set()
    for row in table.itertuples():
        model = families.load(row.model, row.revision)
        assert (model.family, model.params, model.tokens) == ("ladder", row.params, row.tokens)
        assert model.name == SMALL.name + ("" if row.revision == "main" else f"@{row.revision}")
        digests.add(model.commit)
        items = lm.measure(model, tasks.arithmetic("addition", 2, n=3, layout="compact"))
        assert len(items) == 3
    assert len(digests) == 3
    with pytest.raises(families.ModelError, match=r"at revision 'step7': it has main, step6, step16"):
        families.load(SMALL.name, "step7")


def test_training_learns(tmp_path):
    """Three hundred steps of the real recipe take the model far below chance."""
    done = ladder.train(SMALL._replace(steps=300), tmp_path)
    loss = json.loads((done / "training.json").read_text())["loss"]
    assert len(loss) == 6
    assert loss[0] > 2.3 and loss[-1] < 2.1 and loss == sorted(loss, reverse=True)


@pytest.mark.parametrize(("cell", "step"), [(RECIPE, 250), (Cell("text", "3.4k", 0), 250)])
def test_the_smallest_rungs_are_what_their_recipe_gives(cell, step, tmp_path, monkeypatch):
    # the second smallest are in test_families.py: the tests of one file wait for each other
    tiny_models.check_recipe(cell, tmp_path, step, monkeypatch)


def test_the_card_says_what_the_records_say():
    import ladder_card

    if not (ladder_card.FOLDER / "README.md").exists():
        pytest.skip("the ladder is not bundled here")
    assert (ladder_card.FOLDER / "README.md").read_text() == ladder_card.card(), "run python tools/ladder_card.py"
