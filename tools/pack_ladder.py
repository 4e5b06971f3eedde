"""Write the ladder's models as scripts that a page loads: book/_static/ladder.js runs them.

A script calls `mirageLadder` with what the model is, its vocabulary and its weights, half precision in base64. Scripts,
since a page opened as a file may load nothing else from beside it.

    python tools/pack_ladder.py folder [model ...]      by default every model of seed 0
"""

import base64
import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

LADDER = Path(__file__).parent.parent / "models" / "ladder"


def pack(source: Path, out: Path, models: list[str] | None = None) -> None:
    """Write `out`/<model>.js for models of the folder `source`; the same models give the same files.

    models : names; by default all of seed 0, but those that were trained for longer.

    Raises ValueError for a model that ladder.js would compute wrongly.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in models or sorted(path.parent.name for path in source.glob("*-seed0/training.json")):
        tensors = load_file(source / name / "model.safetensors")
        ids = json.loads((source / name / "tokenizer.json").read_text())["model"]["vocab"]
        half = b"".join(np.ascontiguousarray(tensor, "<f2").tobytes() for tensor in tensors.values())
        packed = {
            "name": name,
            "config": shape(json.loads((source / name / "config.json").read_text())),
            "vocabulary": sorted(ids, key=ids.get),
            "sizes": [(tensor, values.size) for tensor, values in tensors.items()],
            "half": base64.b64encode(half).decode(),
        }
        (out / f"{name}.js").write_text(f"mirageLadder({json.dumps(packed, separators=(',', ':'))});\n")


def shape(config: dict) -> dict:
    """What ladder.js needs of a model's config.json."""
    wanted = {"model_type": "gpt_neox", "hidden_act": "gelu", "use_parallel_residual": True, "attention_bias": True}
    if other := {key: config.get(key) for key, value in wanted.items() if config.get(key) != value}:
        raise ValueError(f"ladder.js knows models with {wanted} only, and this one has {other}")
    # before transformers 5 the two stood by themselves
    rope = config.get("rope_parameters") or {}
    share = rope.get("partial_rotary_factor", config.get("rotary_pct"))
    width, heads = config["hidden_size"], config["num_attention_heads"]
    return {
        "layers": config["num_hidden_layers"],
        "width": width,
        "heads": heads,
        "rotary": int(width // heads * share),
        "theta": rope.get("rope_theta", config.get("rotary_emb_base")),
        "epsilon": config["layer_norm_eps"],
        "context": config["max_position_embeddings"],
    }


if __name__ == "__main__":
    pack(LADDER, Path(sys.argv[1]), sys.argv[2:])
