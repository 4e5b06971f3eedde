"""What rows share is kept once: attention to it is that of whole keys and values, and the model stays as it was."""

import architectures
import ladder
import pytest
import tiny_models
import torch
from transformers import MistralConfig, MistralForCausalLM

from mirage_lib import caches, lm, passes, tasks

TASK = tasks.arithmetic("addition", 2, n=12, shots=8, layout="compact")
SIZES = {"vocab_size": len(ladder.VOCABULARY["arithmetic"]), "hidden_size": 32, "intermediate_size": 64}
SIZES |= {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "bos_token_id": 0}


def once(model) -> bool:
    """Whether a model that was measured may keep once what rows begin with."""
    ((*_, kept),) = passes._checked[model.network].values()
    return kept


@pytest.mark.parametrize("room", [1, 3000, 1 << 20])  # for the weights of one row, of some, of all
@pytest.mark.parametrize(("groups", "places", "masked"), [(1, 5, True), (2, 5, True), (2, 1, False), (1, 1, True)])
def test_attention_to_a_prefix_is_that_of_torch(groups, places, masked, room, monkeypatch):
    monkeypatch.setitem(caches.WEIGHTS_AT_ONCE, "cpu", room)
    torch.manual_seed(0)
    rows, heads, prefix, used, width = 7, 4, 11, 6, 8
    query = torch.randn(rows, heads, places, width)
    far_key, far_value = torch.randn(2, 1, heads // groups, prefix, width)
    key, value = torch.randn(2, rows, heads // groups, used, width)
    value = torch.cat([value, value], -1)  # values may be wider than keys
    far_value = torch.cat([far_value, far_value], -1)
    visible = torch.rand(rows, 1, places, prefix + used) < 0.6
    visible[..., :prefix] = True
    mask = visible if masked else None
    module = torch.nn.Module()
    module.num_key_value_groups = groups

    def whole(near, far):
        return torch.cat([far.expand(rows, -1, -1, -1), near], 2).repeat_interleave(groups, 1)

    wanted = torch.nn.functional.scaled_dot_product_attention(
        query, whole(key, far_key), whole(value, far_value), attn_mask=mask, scale=0.3
    )
    key.before = far_key, far_value
    ours, _ = caches.attend(module, query, key, value, mask, scaling=0.3)
    assert torch.allclose(ours.transpose(1, 2), wanted, atol=1e-5)


@pytest.mark.parametrize("make", [tiny_models.neox, tiny_models.llama])
def test_a_prefix_is_kept_once_and_its_rows_keep_only_their_own(make, monkeypatch):
    model, kept = make(), []
    lm.measure(model, TASK, max_tokens=6)
    assert once(model)
    seen = caches.attend

    def note(module, query, key, *rest, **more):
        if getattr(key, "before", None):
            kept.append((key.before[0].data_ptr(), len(key.before[0]), key.before[0].shape[-2], key.shape[-2]))
        return seen(module, query, key, *rest, **more)

    monkeypatch.setattr(caches, "attend", note)
    items = lm.measure(model, TASK, max_tokens=6)
    rows = lm.encode(model.tokenizer, TASK)
    shared = passes.common_prefix([row.prompt for row in rows])
    assert {(number, length) for _, number, length, _ in kept} == {(1, shared)}
    assert len({place for place, *_ in kept}) == 2  # one a layer
    longest = max(len(row.prompt) - shared + len(row.target) - 1 for row in rows)
    assert max(used for *_, used in kept) <= longest + items["output"].map(len).max()


def test_attention_is_as_it_was_afterwards(monkeypatch):
    model = tiny_models.neox()
    assert model.network.config._attn_implementation == "sdpa"
    lm.measure(model, TASK)
    assert model.network.config._attn_implementation == "sdpa"

    def fail(*_):
        assert model.network.config._attn_implementation == caches.NAME
        raise KeyboardInterrupt

    monkeypatch.setattr(passes, "score", fail)
    with pytest.raises(KeyboardInterrupt):
        lm.measure(model, TASK)
    assert model.network.config._attn_implementation == "sdpa"


def test_another_attention_gets_copies_and_the_same_numbers():
    model, other = tiny_models.llama(), tiny_models.llama()
    other.network.set_attn_implementation("eager")
    one, two = (lm.measure(each, TASK) for each in (model, other))
    assert other.network.config._attn_implementation == "eager"
    assert one["output"].tolist() == two["output"].tolist()
    for a, b in zip(one["logprob"], two["logprob"], strict=True):
        assert a == pytest.approx(b, abs=1e-5)


def halved(monkeypatch):
    """Attention to a prefix gives something else: what an architecture that wants more of it would get."""
    seen = caches.attend

    def less(module, query, key, *rest, **more):
        answer, _ = seen(module, query, key, *rest, **more)
        return answer * (0.5 if getattr(key, "before", None) else 1), None

    monkeypatch.setattr(caches, "attend", less)


SETS = TASK.assign(prompt=[text if i % 2 else text[9:] for i, text in enumerate(TASK["prompt"])])


@pytest.mark.parametrize("task", [TASK, SETS], ids=["one set of examples", "two, that begin differently"])
def test_attention_that_wants_more_gets_copies(task, monkeypatch):
    model, alike = tiny_models.llama(), tiny_models.llama()
    wanted = lm.measure(alike, task)
    halved(monkeypatch)
    items = lm.measure(model, task)
    assert not once(model)
    assert items["output"].tolist() == wanted["output"].tolist()


def test_another_attention_is_tried_anew():
    model = tiny_models.llama()
    wanted = lm.measure(model, TASK)
    model.network.set_attn_implementation("eager")
    assert lm.measure(model, TASK)["output"].tolist() == wanted["output"].tolist()
    assert [each for *_, each in passes._checked[model.network].values()] == [True, False]


def test_half_precision_is_summed_by_torch():
    """Keys so large that products of them are infinite in float16."""
    model = tiny_models.llama()
    model.network.half()
    lm.measure(model, TASK)
    assert not once(model)


def test_layers_with_a_window_are_copied():
    config = MistralConfig(**SIZES, sliding_window=90)
    model = tiny_models.wrap(MistralForCausalLM(config))
    lm.measure(model, TASK)
    assert not once(model)


def test_parts_of_a_model_keep_their_attention():
    model = architectures.small("Gemma 3, text and images")
    config = model.network.config
    config.vision_config._attn_implementation = "eager"
    lm.measure(model, TASK)
    names = [part._attn_implementation for part in (config, config.text_config, config.vision_config)]
    assert names == ["sdpa", "sdpa", "eager"]


def test_long_rows_behind_a_short_beginning_have_copies(monkeypatch):
    model, given = tiny_models.neox(), []
    lm.measure(model, TASK)
    seen = passes.run_prefix
    monkeypatch.setattr(passes, "run_prefix", lambda *args: given.append((len(args[1]), args[2])) or seen(*args))
    lm.measure(model, TASK)
    short = TASK.assign(prompt=[text[-15:] for text in TASK["prompt"]])
    lm.measure(model, short)
    assert [once for _, once in given] == [True, False]
    assert given[1][0] > 0
