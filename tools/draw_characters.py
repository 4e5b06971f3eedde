"""Draw mirage_lib/data/drawn_characters.npy.xz: invented characters, what stands in for Omniglot.

python tools/draw_characters.py

The same seed gives the same drawings; a test compares.
"""

import lzma
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from mirage_lib import images


def draw(classes: int = 200, drawings: int = 20, seed: int = 0) -> np.ndarray:
    """Invented characters as variable as Omniglot's: uint8 of shape (classes, drawings, 28, 28), ink 255 on 0.

    A class is one to four smooth strokes. A drawing moves their control points, then turns, scales and shifts the
    whole; it is drawn with a pen on 105x105 pixels and shrunk, as Omniglot is.
    """
    rng = np.random.default_rng(seed)
    knots, strokes = 4, 4
    # a pen that turns steadily, give or take: (class, stroke, knot, xy)
    heading = rng.uniform(0, 7, (classes, strokes, 1)) + rng.normal(0, 0.7, (classes, strokes, 1)) * np.arange(knots)
    heading += rng.normal(0, 0.25, (classes, strokes, knots))
    step = rng.uniform(2.5, 6, (classes, strokes, 1)) * rng.uniform(0.7, 1.3, (classes, strokes, knots))
    points = np.cumsum(step[..., None] * np.stack([np.cos(heading), np.sin(heading)], -1), 2)
    points += rng.uniform(-8, 8, (classes, strokes, 1, 2)) - points.mean(2, keepdims=True)
    # strokes that a class has not are drawn over its first
    absent = np.arange(strokes) > rng.choice(strokes, classes, p=[0.2, 0.4, 0.3, 0.1])[:, None]
    points = np.where(absent[..., None, None], points[:, :1], points)
    low, high = points.min((1, 2), keepdims=True), points.max((1, 2), keepdims=True)
    points = (points - (low + high) / 2) / (high - low) * rng.uniform(0.35, 0.7, (classes, 1, 1, 2))
    # (class, drawing, stroke, knot, xy)
    points = points[:, None] + rng.normal(0, 0.035, (classes, drawings, strokes, knots, 2))
    points = np.where(absent[:, None, :, None, None], points[:, :, :1], points)
    angle = rng.normal(0, 0.1, (classes, drawings))
    scale = np.exp(rng.normal(0, 0.15, (classes, drawings)))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = np.einsum("ijcd,cdskj->cdski", turn, points) + rng.normal(0.5, 0.055, (classes, drawings, 1, 1, 2))

    # A cubic is linear in its knots: one matrix draws all strokes, close enough to leave no gap. Of whole numbers, so
    # that it is exact: a last bit that depends on the machine would move a dot now and then.
    time = np.linspace(0, 1, 150)
    basis = np.vander(time, knots) @ np.linalg.inv(np.vander(np.linspace(0, 1, knots)))
    track = np.rint(basis * 2**12) @ np.rint(points * 105 * 2**8) // 2**20
    x, y = np.clip(track.reshape(classes * drawings, -1, 2), 0, 101).astype("i4").transpose(2, 0, 1)
    ink = np.zeros((len(x), 105, 105), bool)
    ink[np.arange(len(x))[:, None], y, x] = True
    for _ in range(3):  # the pen is four pixels wide
        ink[:, 1:] |= ink[:, :-1]
        ink[:, :, 1:] |= ink[:, :, :-1]
    return images.shrink(ink).reshape(classes, drawings, 28, 28)


if __name__ == "__main__":
    with lzma.open(images.DRAWN, "wb", preset=9) as file:
        np.save(file, draw())
    print(f"{images.DRAWN}: {images.DRAWN.stat().st_size:,} bytes")
