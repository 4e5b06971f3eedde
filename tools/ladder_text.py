"""Make the text that the ladder's text family reads, from the source of the standard library of this Python.

python tools/ladder_text.py: writes tools/stdlib-train.txt.xz, which `ladder.py` reads, and the held-out text, of which
questions are made, mirage_lib/data/stdlib-held-out.txt.xz. The copies in the project were made with Python 3.11.7;
another version gives another text, and other models.
"""

import hashlib
import lzma
import sysconfig
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDERS = {"train": HERE, "held-out": HERE.parent / "mirage_lib" / "data"}
# tests, tables of characters and parse trees are hardly text
LEFT_OUT = ("test", "tests", "idle_test", "site-packages", "pydoc_data", "encodings", "lib2to3")


def text(file: Path) -> str:
    """A file's printable ASCII characters and newlines."""
    return "".join(c for c in file.read_text("utf-8", errors="ignore") if c == "\n" or " " <= c <= "~")


def parts(root: Path) -> dict[str, str]:
    """Two texts: one file in ten is held out, whole, by a digest of its name."""
    found = {"train": [], "held-out": []}
    for file in sorted(root.rglob("*.py")):
        name = file.relative_to(root)
        if not set(name.parts) & set(LEFT_OUT):
            tenth = int(hashlib.md5(name.as_posix().encode()).hexdigest(), 16) % 10
            found["train" if tenth else "held-out"].append(text(file))
    return {part: "".join(texts) for part, texts in found.items()}


if __name__ == "__main__":
    for part, whole in parts(Path(sysconfig.get_paths()["stdlib"])).items():
        packed = lzma.compress(whole.encode(), preset=9 | lzma.PRESET_EXTREME)
        (FOLDERS[part] / f"stdlib-{part}.txt.xz").write_bytes(packed)
        print(f"{part}: {len(whole):,} characters, {len(packed) / 1e6:.2f} MB")
