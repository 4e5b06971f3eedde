"""What pip installs is what users need: no more, no less."""

import shutil
import subprocess
import sys
import zipfile

import sample_book


def test_the_wheel_carries_what_users_need(tmp_path):
    root, source = sample_book.ROOT, tmp_path / "source"
    for name in ("mirage_lib", "book/claims", "models", "teaching/labs/mirage_labs"):
        shutil.copytree(root / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-content"):
        shutil.copy(root / name, source / name)
    model = next((source / "models" / "ladder").glob("*/training.json")).parent
    (model / "state.pt").write_bytes(b"of a training that is not done")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "-w", tmp_path, source], check=True, cwd=tmp_path)
    (file,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(file) as wheel:
        names = set(wheel.namelist())
        (about,) = (wheel.read(name).decode() for name in names if name.endswith("/METADATA"))
    there = {file.relative_to(root) for file in (root / "mirage_lib").rglob("*") if "__pycache__" not in file.parts}
    assert {str(path) for path in there if (root / path).is_file()} <= names
    assert {f"mirage_lib/claims/{file.name}" for file in (root / "book" / "claims").glob("*.*")} <= names
    # Colab has the checks of labs and exercises from here
    checks = root / "teaching" / "labs" / "mirage_labs"
    assert {f"mirage_labs/{file.name}" for file in checks.glob("*.py")} <= names
    ladder = "mirage_lib/ladder_models"
    assert {
        f"{ladder}/README.md",
        f"{ladder}/{model.name}/model.safetensors",
        f"{ladder}/{model.name}/training.json",
    } <= names
    assert not [name for name in names if name.endswith(("state.pt", ".pyc")) or "train.txt" in name]
    assert "License-Expression: MIT AND PSF-2.0 AND CC-BY-4.0" in about
    assert {"LICENSE", "LICENSE-content", "LICENSE-stdlib.txt"} <= {name.rpartition("/")[2] for name in names}
