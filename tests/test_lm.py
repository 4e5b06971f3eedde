"""Measuring, against the slow way: one whole forward an item, or one a token, without batch, cache or prefix."""

import math
import warnings

import ladder
import numpy as np
import pytest
import tiny_models
import torch
from scipy.stats import chi2, chisquare
from tiny_models import brute, greedy, prompts, task, task_for
from tokenizers import Tokenizer, models, normalizers, processors
from transformers import (
    AutoModelForCausalLM,
    BartConfig,
    BartForCausalLM,
    BertConfig,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    GPTNeoConfig,
    GPTNeoForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MptConfig,
    MptForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    XLNetConfig,
    XLNetLMHeadModel,
)

from mirage_lib import lm, metrics, passes, tasks
from mirage_lib.items import ragged, validate

VOCABULARY = ladder.VOCABULARY["arithmetic"]
MODELS = {"neox": tiny_models.neox, "llama": tiny_models.llama}
TEXTS = {
    "same beginning": prompts(24),
    "nothing in common": prompts(24, seed=1, alike=False),
    "one item": prompts(1),
    "no examples": [text.split("\n")[-1] for text in prompts(12)],
    "three shot sets": [start + text for start in ("1+1=2\n", "9*9=81\n", "") for text in prompts(6, alike=False)],
}


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return MODELS[request.param]()


def lists(items, column):
    return ragged(items, column).lists()


def check(model, asked, items, max_tokens):
    """Every number of the table equals the slow way's."""
    ends = set(lm.stops(model.tokenizer))
    assert items["item"].tolist() == asked["item"].tolist()
    for row, logprob, hit, output, target in zip(
        asked.itertuples(), *(lists(items, name) for name in ("logprob", "is_greedy", "output", "target")), strict=True
    ):
        wanted = brute(model, row.prompt, row.target)
        assert logprob == pytest.approx(wanted[0], abs=1e-5)
        assert hit == wanted[1].tolist()
        assert output == greedy(model, row.prompt, ends, max_tokens)
        assert model.tokenizer.decode(target) == row.target
    right = [a == b for a, b in zip(lists(items, "output"), lists(items, "target"), strict=True)]
    assert metrics.exact_match(items).tolist() == right


@pytest.mark.parametrize("texts", TEXTS)
def test_the_table_equals_the_slow_way(model, texts):
    asked = task_for(model, TEXTS[texts])
    # a right answer may be one that is cut, so cut where the task was cut
    items = lm.measure(model, asked, max_tokens=6)
    check(model, asked, items, 6)
    if len(asked) > 10:
        # right, nearly right and wrong answers are all there
        assert 0 < metrics.exact_match(items).mean() < metrics.token_accuracy(items).mean() < 1
    validate(items, "logprob", "is_greedy", "output", "target", "length", "digits", "params")
    assert items["length"].tolist() == [len(target) for target in items["target"]]


@pytest.mark.parametrize("operation", tasks.SYMBOLS)
def test_a_real_task_with_several_shot_sets(model, operation):
    asked = tasks.arithmetic(operation, 2, n=8, shots=2, shot_sets=3, layout="compact")
    items = lm.measure(model, asked)
    check(model, asked, items, items["length"].max())
    assert items["shot_set"].tolist() == asked["shot_set"].tolist()
    assert items["digits"].tolist() == asked["digits"].tolist() == [length - 1 for length in items["length"]]
    assert items["task"].unique().tolist() == [f"{operation}-2-compact"]


@pytest.mark.parametrize("texts", ["same beginning", "three shot sets"])
def test_batch_size_changes_nothing(model, texts):
    asked = task_for(model, TEXTS[texts])
    one, *others = (lm.measure(model, asked, size, samples=2, max_tokens=6) for size in (None, 1, 3))
    for other in others:
        assert np.abs(ragged(one, "logprob").values - ragged(other, "logprob").values).max() < 1e-5
        for column in ("is_greedy", "output", "samples", "target", "item"):
            assert one[column].tolist() == other[column].tolist()


def test_the_same_call_twice_is_identical_and_another_seed_samples_anew(model):
    asked = task_for(model, TEXTS["three shot sets"])
    one, two = (lm.measure(model, asked, samples=2) for _ in range(2))
    assert one.equals(two)
    three = lm.measure(model, asked, samples=2, seed=1)
    assert one["samples"].tolist() != three["samples"].tolist()
    assert one.drop(columns="samples").equals(three.drop(columns="samples"))
    # to ask for samples changes nothing else
    assert lm.measure(model, asked).equals(one.drop(columns="samples"))


def test_options_get_the_log_probability_of_their_text(model):
    asked = tasks.multiple_choice(tasks.arithmetic("addition", 3, n=10, layout="compact"), options=3)
    items = lm.measure(model, asked, samples=1)
    check(model, asked, items, items["length"].max())
    for row, got in zip(asked.itertuples(), lists(items, "choice_logprob"), strict=True):
        assert got == pytest.approx([brute(model, row.prompt, text)[0].sum() for text in row.choices], abs=1e-4)
        assert got[row.answer] == pytest.approx(brute(model, row.prompt, row.target)[0].sum(), abs=1e-4)
    assert items["answer"].tolist() == asked["answer"].tolist()


def test_options_of_different_lengths(model):
    texts = prompts(3, alike=False)
    asked = task(texts, ["12\n"] * 3, choices=[["12\n", "1\n", "123456\n"]] * 3, answer=[0] * 3)
    got = lists(lm.measure(model, asked), "choice_logprob")
    for text, row in zip(texts, got, strict=True):
        assert row == pytest.approx([brute(model, text, t)[0].sum() for t in asked["choices"][0]], abs=1e-4)


# ---------------------------------------------------------------- answers of its own


def test_answers_are_those_of_generate(model):
    asked = task_for(model, TEXTS["nothing in common"])
    items = lm.measure(model, asked, max_tokens=10)
    wrong = 0
    for text, output, hit in zip(asked["prompt"], lists(items, "output"), lists(items, "is_greedy"), strict=True):
        if all(hit):
            continue
        wrong += 1
        ids = torch.tensor([model.tokenizer(text)["input_ids"]])
        out = model.network.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=10,
            eos_token_id=sorted(map(int, lm.stops(model.tokenizer))),
            pad_token_id=0,
        )
        assert output == out[0, ids.shape[1] :].tolist()
    assert wrong > 10


def steered(model, text, answer):
    """The model with an unembedding that makes it give this answer to this prompt, whatever follows."""
    ids, wanted = model.tokenizer(text)["input_ids"], model.tokenizer(answer)["input_ids"]
    with torch.no_grad():
        hidden = model.network.base_model(torch.tensor([ids + wanted])).last_hidden_state[0, len(ids) - 1 : -1]
        logits = torch.full((len(wanted), model.network.config.vocab_size), -9.0)
        logits[torch.arange(len(wanted)), torch.tensor(wanted)] = 9.0
        model.network.get_output_embeddings().weight.copy_((torch.linalg.pinv(hidden) @ logits).T)
    return model


@pytest.mark.parametrize("end", ["\n", ladder.END])
@pytest.mark.parametrize("target", ["12\n", "99\n", "1234\n"])
def test_an_answer_ends_with_its_stop(end, target):
    model = steered(tiny_models.neox(), "1+1=", "123" + end)
    items = lm.measure(model, task(["1+1="], [target]), max_tokens=20)
    assert model.tokenizer.decode(items["output"][0]) == "123" + end
    check(model, task(["1+1="], [target]), items, 20)


def test_an_answer_without_a_stop_is_cut():
    model = steered(tiny_models.neox(), "1+1=", "12345678")
    for max_tokens, answer in [(None, "1234"), (5, "12345"), (8, "12345678")]:
        items = lm.measure(model, task(["1+1="], ["999\n"]), max_tokens=max_tokens)
        assert model.tokenizer.decode(items["output"][0]) == answer


@pytest.mark.parametrize("make", [tiny_models.neox_tokenizer, ladder.tokenizer])
def test_every_token_with_a_newline_stops(make):
    if make is tiny_models.neox_tokenizer and not tiny_models.NEOX_TOKENIZER.exists():
        pytest.skip("the tokenizer of Pythia is not here")
    tokenizer = make()
    text = tokenizer.batch_decode([[i] for i in range(len(tokenizer))])
    newline = {i for i, piece in enumerate(text) if "\n" in piece}
    assert set(lm.stops(tokenizer)) == newline | {tokenizer.eos_token_id}


# ---------------------------------------------------------------- samples


def joint(model, text, temperature=1.0):
    """Probability of every answer of up to two tokens, from whole forwards."""
    ids, size, ends = model.tokenizer(text)["input_ids"], len(model.tokenizer), lm.stops(model.tokenizer)
    with torch.no_grad():
        first = model.network(torch.tensor([ids])).logits[0, -1, :size]
        then = model.network(torch.tensor([[*ids, i] for i in range(size)])).logits[:, -1, :size]
    first, then = ((logits.double() / temperature).softmax(-1).numpy() for logits in (first, then))
    return {
        (i,) if i in ends else (i, j): first[i] * (1 if i in ends else then[i, j])
        for i in range(size)
        for j in range(1 if i in ends else size)
    }


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_samples_have_the_frequencies_of_the_model(model, temperature):
    text, n = prompts(1)[0], 4000
    asked = task([text], ["12"])
    items = lm.measure(model, asked, samples=n, temperature=temperature, max_tokens=2)
    counts: dict = {}
    for sample in items["samples"][0]:
        counts[tuple(sample)] = counts.get(tuple(sample), 0) + 1
    wanted = joint(model, text, temperature)
    assert set(counts) <= set(wanted)
    # answers that are rarely expected are counted together
    usual = [answer for answer, p in wanted.items() if n * p >= 5]
    seen = [counts.get(answer, 0) for answer in usual]
    expected = [n * wanted[answer] for answer in usual]
    assert len(usual) > 20
    assert chisquare([*seen, n - sum(seen)], [*expected, n - sum(expected)]).pvalue > 0.01


def test_sampled_accuracy_estimates_exp_of_minus_cross_entropy(model):
    texts, n = prompts(30, seed=5, alike=False), 200
    asked = task_for(model, texts, max_tokens=3)
    items = lm.measure(model, asked, samples=n, max_tokens=5)
    p, share = metrics.expected_accuracy(items), metrics.sampled_accuracy(items)
    # only targets with a stop: what is cut is another answer when more tokens are allowed
    ends = lm.stops(model.tokenizer)
    stopped = np.array([target[-1] in ends for target in items["target"]]) & (p > 0.01)
    assert stopped.sum() >= 4
    z2 = ((share - p) ** 2 / (p * (1 - p) / n))[stopped]
    assert z2.sum() < chi2.ppf(0.999, stopped.sum())


@pytest.mark.parametrize("samples", [1, 2])  # one an item goes on in the cache that the greedy answer leaves behind
@pytest.mark.parametrize("texts", ["same beginning", "nothing in common"])
def test_at_a_low_temperature_samples_are_the_greedy_answer(model, texts, samples):
    # no answer is right, so that all are generated
    asked = task_for(model, TEXTS[texts]).iloc[1::3].reset_index(drop=True)
    items = lm.measure(model, asked, samples=samples, temperature=1e-4, max_tokens=6)
    assert items["samples"].tolist() == [[output] * samples for output in items["output"].map(list)]


# ---------------------------------------------------------------- what pads the embedding


def test_ids_that_only_pad_the_embedding_are_never_chosen_and_have_no_mass():
    model = tiny_models.llama(vocabulary=len(VOCABULARY) + 9)
    text = prompts(8, alike=False)
    with torch.no_grad():
        head = model.network.get_output_embeddings().weight
        head[len(VOCABULARY) :] = 30 * head[:9]
    ids = torch.tensor([model.tokenizer(text[0])["input_ids"]])
    assert model.network(ids).logits[0].argmax(-1).max() >= len(VOCABULARY)  # they would be
    asked = task_for(model, text)
    items = lm.measure(model, asked, samples=20, max_tokens=6)
    check(model, asked, items, 6)
    given = [i for samples in items["samples"] for sample in samples for i in sample]
    assert max([*given, *ragged(items, "output").values]) < len(VOCABULARY)


def test_half_precision_is_scored_in_single():
    model = tiny_models.neox()
    asked = task_for(model, TEXTS["no examples"])
    single = ragged(lm.measure(model, asked), "logprob").values
    model.network.to(torch.bfloat16)
    half = ragged(lm.measure(model, asked), "logprob").values
    assert np.abs(half - single).mean() < 0.2
    # a log-softmax in bfloat16 would leave 8 bits
    assert (torch.tensor(half).to(torch.bfloat16).double().numpy() != half).mean() > 0.9


# ---------------------------------------------------------------- memory


def failing_above(model, size, message):
    """The model, but a batch larger than `size` fails; returns the sizes it was asked for."""
    seen = []

    def fail(module, args, kwargs):
        seen.append(kwargs["input_ids"].shape[0])
        if seen[-1] > size:
            raise RuntimeError(message)

    model.network.register_forward_pre_hook(fail, with_kwargs=True)
    return seen


def test_batches_halve_when_memory_runs_out_and_say_so():
    model, rival = tiny_models.neox(), tiny_models.neox()
    asked = task_for(model, TEXTS["same beginning"])
    whole = lm.measure(model, asked)
    seen = failing_above(rival, 5, "DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes")
    with warnings.catch_warnings(record=True) as said:
        halved = lm.measure(rival, asked, batch_size=16)
    for warning, size in zip(said, (16, 8), strict=True):
        assert f"{size} questions at once: going on with {size // 2}" in str(warning.message)
    assert max(size for size in seen if size <= 5) == 4
    assert np.abs(ragged(whole, "logprob").values - ragged(halved, "logprob").values).max() < 1e-5
    for column in ("item", "is_greedy", "output", "target"):
        assert whole[column].tolist() == halved[column].tolist()


@pytest.mark.parametrize("rows", [1, 3, 24])
def test_memory_that_does_not_suffice_for_one_is_an_error(rows):
    model = tiny_models.neox()
    asked = task_for(model, TEXTS["same beginning"])[:rows]

    def fail(module, args, kwargs):
        if kwargs.get("past_key_values") is not None:  # the common beginning still fits
            raise RuntimeError("CUDA out of memory")

    model.network.register_forward_pre_hook(fail, with_kwargs=True)
    with warnings.catch_warnings(action="ignore"), pytest.raises(RuntimeError, match="CUDA out of memory"):
        lm.measure(model, asked)


def test_another_error_is_not_taken_for_lack_of_memory():
    model = tiny_models.neox()
    asked = task_for(model, TEXTS["same beginning"])
    seen = failing_above(model, 1, "mat1 and mat2 shapes cannot be multiplied")
    with pytest.warns(UserWarning, match=r"each is run alone") as said:
        check(model, asked, lm.measure(model, asked), 6)
    assert "(RuntimeError: mat1 and mat2 shapes cannot be multiplied)" in str(said[-1].message)
    assert seen.count(3) == 2  # tried once with a beginning that is kept once, and once with copies of it
    fails, told = tiny_models.neox(), "mat1 and mat2 shapes cannot be multiplied"
    lm.measure(fails, asked)
    failing_above(fails, 1, told)  # after the trial
    with pytest.raises(RuntimeError, match=told):
        lm.measure(fails, asked)


# ---------------------------------------------------------------- nothing twice


def test_the_examples_are_run_once_and_only_answers_are_unembedded():
    model = tiny_models.neox()
    asked = tasks.arithmetic("addition", 2, n=40, shots=8, layout="compact")
    lm.measure(model, asked.head(8))  # tried once a model
    lm.measure(model, asked)
    run, unembedded = [], []
    model.network.register_forward_pre_hook(
        lambda module, args, kwargs: run.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    model.network.get_output_embeddings().register_forward_pre_hook(
        lambda module, args: unembedded.append(args[0].numel() // args[0].shape[-1])
    )
    items = lm.measure(model, asked)
    rows = lm.encode(model.tokenizer, asked)
    shared = passes.common_prefix([row.prompt for row in rows])
    target = max(len(row.target) for row in rows)
    tail = max(len(row.prompt) for row in rows) - shared
    assert shared > 60
    # once, for one row, in one piece
    assert [shape for shape in run if shape[1] >= shared] == [(1, shared)]
    generated = sum(len(output) for output in items["output"])
    assert sum(rows * width for rows, width in run) <= shared + 40 * (tail + target) + generated
    assert sum(unembedded) <= 1 + 40 * target + generated  # the examples' last token


def test_no_key_is_copied_while_answers_go_on():
    model = tiny_models.neox()
    asked = task_for(model, TEXTS["same beginning"], max_tokens=20).assign(target="999\n")
    lm.measure(model, asked, max_tokens=20)  # tried once a model
    places = []

    def note(module, args, kwargs, out):
        keys = out.past_key_values.layers[0].keys
        places.append((len(keys), keys.data_ptr()))

    model.network.register_forward_hook(note, with_kwargs=True)
    lm.measure(model, asked, max_tokens=20)
    # the examples, then the questions, and one place for each number of answers that still go on
    assert len(places) > 15
    assert len(set(places)) == len({rows for rows, _ in places})


def test_layers_of_different_kinds():
    """One layer attends to everything, one to a window, whose cache is no plain one; longer prompts are refused."""
    config = Qwen2Config(
        vocab_size=len(VOCABULARY),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.3,
        eos_token_id=0,
        use_sliding_window=True,
        sliding_window=64,
        max_window_layers=1,
    )
    torch.manual_seed(0)
    model = tiny_models.wrap(Qwen2ForCausalLM(config))
    kinds = [type(layer).__name__ for layer in model.network(torch.tensor([[3]])).past_key_values.layers]
    assert kinds == ["DynamicLayer", "DynamicSlidingWindowLayer"]
    for texts in ("same beginning", "three shot sets"):
        asked = task_for(model, TEXTS[texts])
        check(model, asked, lm.measure(model, asked, batch_size=5, max_tokens=6), 6)
    # past the window
    asked = task_for(model, TEXTS["same beginning"][:4], max_tokens=50)
    with pytest.warns(UserWarning, match="each is run alone"):
        items = lm.measure(model, asked, max_tokens=50)
    check(model, asked, items, 50)


def small(config, network):
    """A model of another architecture with random weights and the ladder's tokenizer."""
    torch.manual_seed(0)
    return tiny_models.wrap(network(config))


BART = {"vocab_size": len(VOCABULARY), "d_model": 32, "decoder_layers": 2, "decoder_ffn_dim": 64}
BART |= {"decoder_attention_heads": 4, "max_position_embeddings": 96, "bos_token_id": 0, "eos_token_id": 0}
SMALL = {"vocab_size": len(VOCABULARY), "hidden_size": 32, "bos_token_id": 0, "eos_token_id": 0}
OTHERS = {
    "positions": lambda: small(
        BartConfig(**BART, init_std=0.3, decoder_start_token_id=0, forced_eos_token_id=None), BartForCausalLM
    ),
    "states": lambda: small(MambaConfig(**SMALL, num_hidden_layers=1, state_size=4), MambaForCausalLM),
    "places": lambda: small(MptConfig(**SMALL, n_layers=1, n_heads=2, max_seq_len=64), MptForCausalLM),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_questions_that_cannot_share_a_cache_are_run_alone(kind):
    model = OTHERS[kind]()
    asked = task_for(model, TEXTS["same beginning"][:6])
    with pytest.warns(UserWarning, match="questions cannot share what tiny keeps"):
        items = lm.measure(model, asked, samples=50)
    check(model, asked, items, 6)
    # samples come from the model's own probabilities
    joined = [sample for samples in items["samples"] for sample in samples]
    assert len(joined) == 300
    for row, samples in zip(asked.itertuples(), items["samples"], strict=True):
        likely = joint(model, row.prompt)
        share = np.mean([math.log(likely[tuple(sample[:2])]) for sample in samples])
        wanted = sum(p * math.log(p) for p in likely.values() if p > 0)
        assert share == pytest.approx(wanted, abs=1.2)


def test_a_question_longer_than_a_local_window_is_run_alone():
    layers = {"num_layers": 2, "num_heads": 2, "attention_types": [[["global", "local"], 1]]}
    model = small(GPTNeoConfig(**SMALL, **layers, window_size=16, max_position_embeddings=64), GPTNeoForCausalLM)
    short, long = task_for(model, ["1+1=", "12+3="]), task_for(model, ["1" * 20 + "=", "2" * 25 + "="])
    with warnings.catch_warnings(action="error"):
        check(model, short, lm.measure(model, short), 6)
    with pytest.warns(UserWarning, match="run alone"):
        check(model, long, lm.measure(model, long), 6)


def test_many_samples_make_small_batches(monkeypatch):
    model, sizes = tiny_models.neox(), []
    asked = task_for(model, TEXTS["same beginning"])
    whole = lm.measure(model, asked, samples=10)
    ((_, kept, _),) = passes._checked[model.network].values()
    assert kept == 2 * 2 * 16  # keys and values, layers, width
    # questions of 7 characters, answers of 6, room for 6 more
    monkeypatch.setitem(passes.KEPT_AT_ONCE, "cpu", kept * 10 * 19 * 4)
    run = passes.score
    monkeypatch.setattr(passes, "score", lambda *args: sizes.append(len(args[2])) or run(*args))
    parts = lm.measure(model, asked, samples=10)
    assert len(sizes) > 1 and max(sizes) <= 5 and sum(sizes) == len(asked)
    assert parts["samples"].tolist() == whole["samples"].tolist()


def test_room_for_long_answers_makes_small_batches(monkeypatch):
    model, sizes = tiny_models.neox(), []
    asked = task(["1+1=", "1+2=", "1+3=", "1+4="], ["2\n"] * 4)
    lm.measure(model, asked, max_tokens=100)
    run = passes.score
    monkeypatch.setattr(passes, "score", lambda *args: sizes.append(len(args[2])) or run(*args))
    # 3 tokens of the examples, 1 of a question, 2 of a target
    monkeypatch.setitem(passes.KEPT_AT_ONCE, "cpu", 64 * 2 * (3 + 1 + 2 + 100))
    lm.measure(model, asked, max_tokens=100)
    assert sizes == [2, 2]


@pytest.mark.parametrize("length", [91, 92, 93])
def test_a_question_may_be_as_long_as_the_model_reads(length):
    """Of 96 tokens: the prompt with its equals sign, and three of the target."""
    model, asked = tiny_models.llama(), task(["1" * length + "="], ["22\n"])
    if length == 93:
        with pytest.raises(ValueError, match="needs 97 tokens, the model reads 96"):
            lm.measure(model, asked)
    else:
        check(model, asked, lm.measure(model, asked), 3)


def test_right_answers_are_not_generated():
    model = tiny_models.neox()
    asked = task_for(model, TEXTS["same beginning"])
    asked = asked.iloc[::3].reset_index(drop=True)  # those that it gives itself
    lm.measure(model, asked)  # tried once a model
    steps = []
    model.network.register_forward_pre_hook(
        lambda module, args, kwargs: steps.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    assert metrics.exact_match(lm.measure(model, asked)).all()
    assert len(steps) == 2  # the examples; the questions


def test_a_long_answer_is_checked_though_a_short_one_was():
    """The trial is made once a model, and again when questions get longer."""
    model, tried = tiny_models.neox(), []
    run = passes.whole
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passes, "whole", lambda *args: tried.append(1) or run(*args))
        for tokens, times in [(3, 5), (3, 5), (2, 5), (9, 10)]:
            lm.measure(model, task(["1+1="], ["2\n"]), max_tokens=tokens)
            assert len(tried) == times


BERT = {"vocab_size": len(VOCABULARY), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
BERT |= {"num_attention_heads": 4, "initializer_range": 0.3, "pad_token_id": 0, "eos_token_id": 0}
LOOK_AHEAD = {
    "encoder": lambda: small(BertConfig(**BERT), AutoModelForCausalLM.from_config),
    "llama": lambda: small(LlamaConfig(**BERT, is_causal=False), LlamaForCausalLM),
}


@pytest.mark.parametrize("kind", LOOK_AHEAD)
def test_a_model_that_looks_ahead_is_refused(kind):
    with pytest.raises(ValueError, match="tiny is not causal: what it expects at a place changes with what stands"):
        lm.measure(LOOK_AHEAD[kind](), task(["12+34="], ["46\n"]))


def test_the_settings_of_a_model_of_text_and_images_are_those_of_its_text():
    text = BERT | {"num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64, "sliding_window": 16}
    sight = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    sight |= {"image_size": 28, "patch_size": 14, "vision_use_head": False}
    tokens = {"mm_tokens_per_image": 4, "boi_token_index": 3, "eoi_token_index": 4, "image_token_index": 5}
    model = small(Gemma3Config(text_config=text, vision_config=sight, **tokens), Gemma3ForConditionalGeneration)
    model.network.generation_config.eos_token_id = 0
    short = task_for(model, ["1+1=", "12+3="])
    check(model, short, lm.measure(model, short), 6)
    long = task_for(model, ["1" * 20 + "=", "2" * 25 + "="])  # beyond the window
    with pytest.warns(UserWarning, match="each is run alone"):
        check(model, long, lm.measure(model, long), 6)
    with pytest.raises(ValueError, match="needs 73 tokens, the model reads 64"):
        lm.measure(model, task(["1" * 70 + "="], ["2\n"]))


def test_a_model_without_a_limit_has_none():
    config = XLNetConfig(vocab_size=len(VOCABULARY), d_model=32, n_layer=1, n_head=2, d_inner=64)
    assert config.max_position_embeddings == -1
    with pytest.raises(ValueError, match="not causal"):  # and not "the model reads -1"
        lm.measure(small(config, XLNetLMHeadModel), task(["1+1="], ["2\n"]))


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_overflow_are_refused_by_name(value, alone):
    """As float16 does; here a weight is spoilt, for a CPU may not have it."""
    model = OTHERS["states"]() if alone else tiny_models.neox()
    with torch.no_grad():
        model.network.get_output_embeddings().weight[:] = value
    with pytest.raises(ValueError, match=r"tiny gives NaN or infinity in torch.float32.* fit into bfloat16"):
        lm.measure(model, task(["1+1="], ["2\n"]))


# ---------------------------------------------------------------- tokenizers


def wordy(words="0123456789+*=ab", newline=True, ids=None, normalizer=None, processor=None, **special):
    """A tokenizer with a token a character."""
    names = ["<eos>", "<unk>", *words, *(["\n"] if newline else [])]
    vocabulary = {name: ids(i) if ids else i for i, name in enumerate(names)}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    core.pre_tokenizer = ladder.tokenizer().backend_tokenizer.pre_tokenizer
    core.decoder = ladder.tokenizer().backend_tokenizer.decoder
    if normalizer:
        core.normalizer = normalizer
    if processor:
        core.post_processor = processors.TemplateProcessing(processor, special_tokens=[("<eos>", vocabulary["<eos>"])])
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", eos_token="<eos>", **special)


def with_tokenizer(tokenizer):
    size = max(tokenizer.get_vocab().values()) + 1
    return tiny_models.llama(vocabulary=size)._replace(tokenizer=tokenizer)


def test_ids_with_holes_are_read_and_no_hole_is_ever_chosen():
    model = with_tokenizer(wordy(ids=lambda i: i if i < 9 else i + 40))
    real = sorted(model.tokenizer.get_vocab().values())
    with torch.no_grad():
        head = model.network.get_output_embeddings().weight
        head[9:49] = 30 * head[:1]
    texts = prompts(6, alike=False)
    asked = task(texts, ["46\n"] * 6)
    items = lm.measure(model, asked, samples=20)
    for row, logprob in zip(asked.itertuples(), lists(items, "logprob"), strict=True):
        ids = model.tokenizer(row.prompt + row.target)["input_ids"]
        with torch.no_grad():
            logits = model.network(torch.tensor([ids])).logits[0, -4:-1]
        wanted = logits[range(3), ids[-3:]] - logits[:, real].logsumexp(-1)
        assert logprob == pytest.approx(wanted.tolist(), abs=1e-5)
    given = [i for samples in items["samples"] for sample in samples for i in sample]
    assert set(given) | set(ragged(items, "output").values) <= set(real)


def test_a_tokenizer_of_another_model_is_refused():
    model = tiny_models.llama()._replace(tokenizer=wordy("0123456789+*=" + "abcdefghij"))
    with pytest.raises(ValueError, match="gives the id 25, and tiny has 15: not a pair"):
        lm.measure(model, task(["1+1="], ["2\n"]))


def test_a_newline_that_the_tokenizer_drops_is_no_stop():
    model = with_tokenizer(wordy(newline=False, normalizer=normalizers.Replace("\n", "")))
    with pytest.raises(ValueError, match=r"drops the newline of '2\\n', and an answer that goes on would count"):
        lm.measure(model, task(["1+1="], ["2\n"]))
    with pytest.raises(ValueError, match=r"drops the newline of '3\\n'"):
        lm.measure(model, task(["1+1="], ["2"], choices=[["2", "3\n"]], answer=0))
    with pytest.warns(UserWarning, match="1 targets, the first '2', end without a stop: an answer that goes on"):
        assert lm.measure(model, task(["1+1="], ["2"], cut=False))["length"].tolist() == [1]


def test_what_is_cut_by_its_task_needs_no_stop():
    model, pair = tiny_models.llama(), (["1+1=", "1+2="], ["2", "3"])
    with pytest.warns(UserWarning, match="1 targets, the first '3', end without a stop"):
        some = lm.measure(model, task(*pair, cut=[True, False]))
    with warnings.catch_warnings(action="error"):
        assert lm.measure(model, task(*pair, cut=True)).equals(some)
    with pytest.raises(ValueError, match="values are missing in cut"):
        lm.measure(model, task(*pair, cut=[True, None]))


@pytest.mark.parametrize("ends", [7, [3, 7]])
def test_what_the_model_ends_with_is_a_stop(ends):
    model = tiny_models.llama()
    assert lm.stops(model.tokenizer, model.network) == lm.stops(model.tokenizer) == {0, 1}
    model.network.generation_config.eos_token_id = ends
    assert lm.stops(model.tokenizer, model.network) == {0, 1, 7} | ({3} if ends != 7 else set())
    asked = task(prompts(20, alike=False), [model.tokenizer.decode([4, 1])] * 20)
    outputs = lists(lm.measure(model, asked, max_tokens=9), "output")
    assert all(7 not in output[:-1] for output in outputs) and any(output[-1] == 7 for output in outputs)
    with pytest.raises(ValueError, match="has a stop before its end"):
        lm.measure(model, task(["1+1="], [model.tokenizer.decode([7, 1])]))


def test_a_byte_that_is_a_newline_stops():
    assert lm.stops(wordy(["<0x0A>", "Ċ", "aĊ", "a"], newline=False)) == {0, 2, 3, 4}


def test_a_prompt_that_brings_its_own_beginning_gets_no_second_one():
    twice = wordy(processor="<eos> $A", bos_token="<eos>")
    for text, start in [("1=", [0]), ("<eos>1=", [0]), ("<eos><eos>1=", [0, 0])]:
        (row,) = lm.encode(twice, task([text], ["2\n"]))
        assert row.prompt == [*start, *twice.convert_tokens_to_ids(["1", "="])]
    (row,) = lm.encode(wordy(bos_token="<eos>"), task(["<eos><eos>1="], ["2\n"]))
    assert row.prompt[:3] == [0, 0, 3]


@pytest.mark.parametrize(
    ("tokenizer", "prompt", "target", "message"),
    [
        (lambda: wordy(processor="$A <eos>"), "1=", "2\n", "appends '<eos>' to every text.*add_eos_token=False"),
        (lambda: wordy(normalizer=normalizers.Replace("1", "")), "1", "2\n", r"no token of '1': are its files .*json"),
        (wordy, "1=", "", "a target is empty"),
        (lambda: wordy(normalizer=normalizers.Replace("2", "")), "1=", "2", "makes no token of '2'"),
    ],
)
def test_each_cause_of_a_seam_that_does_not_hold_has_its_message(tokenizer, prompt, target, message):
    with pytest.raises(ValueError, match=message):
        lm.encode(tokenizer(), task([prompt], [target]))


# ---------------------------------------------------------------- what goes in


def test_encode_cuts_where_the_prompt_ends():
    rows = lm.encode(ladder.tokenizer(), task(["1+1="], ["2\n"], choices=[["3\n", "2\n"]], answer=[1]))
    assert [(row.item, row.generate) for row in rows] == [(0, True), (0, False)]
    names = [["".join(VOCABULARY[i] for i in ids) for ids in (row.prompt, row.target)] for row in rows]
    assert names == [["1+1=", "2\n"], ["1+1=", "3\n"]]


def test_an_answer_that_is_joined_with_its_prompt_is_refused():
    core = Tokenizer(models.BPE({"a": 0, "b": 1, "\n": 2, "ab": 3}, [("a", "b")]))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core)
    assert [row.target for row in lm.encode(tokenizer, task(["a"], ["a\n"]))] == [[0, 2]]
    # "ab" would count as prompt, and only the stop as answer
    with pytest.raises(ValueError, match=r"joins the target 'b\\n' with its prompt"):
        lm.encode(tokenizer, task(["a"], ["b\n"]))


def test_a_first_token_that_is_also_the_unknown_one_is_no_unknown_character():
    core = Tokenizer(models.WordLevel({"<s>": 0, "a": 1, "b": 2}, unk_token="<s>"))
    core.pre_tokenizer = ladder.tokenizer().backend_tokenizer.pre_tokenizer
    core.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 0)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<s>", bos_token="<s>")
    assert lm.encode(tokenizer, task(["a"], ["b"])) == [passes.Row(0, "b", [0, 1], [2], True)]
    with pytest.raises(ValueError, match="does not know all characters of 'ac'"):
        lm.encode(tokenizer, task(["a"], ["c"]))


def test_common_prefix_and_groups_lose_nobody():
    rng = np.random.default_rng(0)
    for _ in range(100):
        heads = ["".join(head) for head in rng.choice(list("123"), size=(3, 6))]
        texts = [rng.choice(heads) + "".join(rng.choice(list("123"), rng.integers(1, 5))) for _ in range(9)]
        rows = lm.encode(ladder.tokenizer(), task(texts, ["\n"] * 9))
        lists, found = [row.prompt for row in rows], passes.groups(rows)
        assert sorted(i for group in found for i in group) == list(range(9))
        for group in found:
            length = passes.common_prefix([lists[i] for i in group])
            assert len({tuple(lists[i][:length]) for i in group}) == 1
            assert length < min(len(lists[i]) for i in group)
            longer = {tuple(lists[i][: length + 1]) for i in group}
            assert len(longer) > 1 or length + 1 == min(len(lists[i]) for i in group)


def test_shot_sets_are_groups():
    rows = lm.encode(ladder.tokenizer(), tasks.arithmetic("addition", 2, n=9, shots=4, shot_sets=3, layout="compact"))
    assert sorted(sorted(rows[i].item // 9 for i in group) for group in passes.groups(rows)) == [
        [s] * 9 for s in range(3)
    ]


def test_questions_that_share_nothing_are_asked_side_by_side():
    rows = lm.encode(ladder.tokenizer(), task([f"{n}{n}+1=" for n in range(10)], ["\n"] * 10))
    assert [sorted(group) for group in passes.groups(rows)] == [list(range(10))]


@pytest.mark.parametrize(
    ("texts", "targets", "message"),
    [
        (["1+1= "], ["2\n"], "ends with a space: put the space before the target"),
        ([""], ["2\n"], "is empty"),
        (["1" * 200 + "="], ["2\n"], "longest question needs 203 tokens, the model reads 128: use fewer shots"),
    ],
)
def test_a_prompt_that_cannot_be_asked_is_refused(texts, targets, message):
    with pytest.raises(ValueError, match=message):
        lm.measure(tiny_models.neox(), task(texts, targets))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (task(["1+1="], ["2\n"], choices=[["2\n", "3\n"]]), r"without the columns \['answer'\]"),
        (task(["1+1=", "1+2="], ["2\n", None]), "values are missing in target"),
        (task(["1+1=", "1+2="], ["2\n", "3\n"], choices=[["2\n"], None], answer=[0, 0]), "missing in choices"),
        (task(["1+1="], ["2\n"], choices=[["2\n", ""]], answer=0), "item 0 has an empty option"),
        (
            task(["1+1="], ["2\n"], choices=[["2\n", "3\n"]], answer=7),
            "item 0 has answer 7 of .*, which is not its tar",
        ),
        (task(["1+1="], ["2\n"], choices=[["2\n", "3\n"]], answer=-2), "answer -2 of"),
        (task(["1+1="], ["2\n"], choices=[["2\n", "3\n"]], answer=1), r"answer 1 of .*its target '2\\n'"),
    ],
)
def test_a_task_with_holes_is_refused(asked, message):
    with pytest.raises(ValueError, match=message):
        lm.measure(tiny_models.neox(), asked)


def test_an_option_longer_than_the_target_does_not_lengthen_the_answer():
    asked = task(["1+1="], ["2\n"], choices=[["2\n", "123456\n"]], answer=[0])
    model = tiny_models.neox()
    assert len(lm.measure(model, asked)["output"][0]) <= 2
    assert len(lm.measure(model, asked, max_tokens=2)["choice_logprob"][0]) == 2


def test_progress_is_shown_when_asked(capsys):
    lm.measure(tiny_models.neox(), task(prompts(3), ["2\n"] * 3), progress=True)
    assert "3/3" in capsys.readouterr().err
    lm.measure(tiny_models.neox(), task(prompts(3), ["2\n"] * 3))
    assert capsys.readouterr().err == ""


def test_every_row_says_what_was_measured():
    model = tiny_models.neox()._replace(family="f", name="m", commit="c", params=7.0, tokens=math.nan)
    items = lm.measure(model, task(prompts(2), ["2\n"] * 2))
    for column, value in {"family": "f", "model": "m", "commit": "c", "params": 7.0}.items():
        assert items[column].tolist() == [value, value]
    assert items["tokens"].isna().all()
