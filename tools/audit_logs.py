"""Make the logs that the chapter on the audit reads: lm-evaluation-harness asks the bundled text models.

    python tools/audit_logs.py      writes mirage_lib/data/audit_logs.tar.xz (a few minutes on one core)

Needs lm_eval, which tests have and readers need not have. Seed 0 of every size goes on with held-out source code for
four characters. The folder is as `lm_eval --output_path FOLDER --log_samples` leaves it, but for the questions'
texts, which are cut to their last 40 characters, and what the results file tells of the machine.
"""

import json
import logging
import os
import tarfile
import tempfile
from pathlib import Path

from mirage_lib import families, tasks

OUT = Path(__file__).parents[1] / "mirage_lib" / "data" / "audit_logs.tar.xz"
N_ITEMS, LENGTH = 500, 4
KEPT = ("results", "configs", "config", "n-samples", "group_subtasks", "model_name", "lm_eval_version", "date")


def definition(folder: Path) -> dict:
    """The harness's definition of the task: log-likelihood of the next characters."""
    asked = tasks.continuation(N_ITEMS)
    docs = [{"prompt": row.prompt, "target": row.target[:LENGTH]} for row in asked.itertuples()]
    (folder / "docs.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in docs))
    files = {"data_files": {"test": str(folder / "docs.jsonl")}, "cache_dir": str(folder / "cache")}
    return {
        "task": "source_code_4",
        "dataset_path": "json",
        "dataset_kwargs": files,
        "test_split": "test",
        "output_type": "loglikelihood",
        "doc_to_text": "{{prompt}}",
        "doc_to_target": "{{target}}",
        "target_delimiter": "",
        "metric_list": [
            {"metric": "acc", "aggregation": "mean", "higher_is_better": True},
            {"metric": "perplexity", "aggregation": "perplexity", "higher_is_better": False},
        ],
    }


def shorter(file: Path) -> None:
    """Leave out what only fills the file."""
    if file.suffix == ".jsonl":
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        for row in rows:
            row["doc"] = {"prompt": row["doc"]["prompt"][-40:]}
            for request in row["arguments"].values():
                request["arg_0"] = request["arg_0"][-40:]
            for name in ("doc_hash", "prompt_hash", "target_hash"):
                row.pop(name, None)
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        about = json.loads(file.read_text())
        about = {name: about[name] for name in KEPT if name in about}
        model = Path(about["model_name"]).name
        about["config"] = {
            "model": "hf",
            "model_args": f"pretrained={model}",
            "model_num_parameters": about["config"]["model_num_parameters"],
        }
        about["configs"] = {name: {"output_type": of["output_type"]} for name, of in about["configs"].items()}
        file.write_text(json.dumps(about | {"model_name": model}, indent=1))


def run_harness(definitions: list[dict], models: list[str], folder: Path, batch_size: int) -> dict[str, dict]:
    """Ask models of the ladder; the logs are then in `folder`/out, as --log_samples leaves them. Its own results."""
    os.environ.setdefault("HF_DATASETS_CACHE", str(folder / "cache"))
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    results = {}
    for model in models:
        tracker = EvaluationTracker(output_path=str(folder / "out"))
        found = simple_evaluate(
            model="hf",
            model_args={"pretrained": str(families.LADDER / model), "dtype": "float32"},
            tasks=[*definitions],
            task_manager=TaskManager(include_defaults=False),
            log_samples=True,
            evaluation_tracker=tracker,
            bootstrap_iters=10,
            batch_size=batch_size,
            device="cpu",
        )
        samples = found.pop("samples")
        tracker.save_results_aggregated(results=found, samples=samples)
        for name in samples:
            tracker.save_results_samples(task_name=name, samples=samples[name])
        results[model] = found["results"]
    return results


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        members = families.members("ladder-text").query("seed == 0 and revision == 'main'")
        run_harness([definition(folder)], list(members["model"]), folder, batch_size=50)
        for path in sorted((folder / "out").iterdir()):
            for file in path.iterdir():
                shorter(file)
            path.rename(path.with_name(path.name.rpartition("__")[2]))
        with tarfile.open(OUT, "w:xz") as archive:
            for file in sorted((folder / "out").rglob("*.json*")):
                entry = archive.gettarinfo(file, f"logs/{file.relative_to(folder / 'out')}")
                entry.uid = entry.gid = entry.mtime = 0
                entry.uname = entry.gname = ""
                with file.open("rb") as stream:
                    archive.addfile(entry, stream)


if __name__ == "__main__":
    main()
