"""Time five seeds of small image networks trained one after the other beside all in one batch: `make bench`.

The batch is `torch.func.vmap` over the weights of the five; the loop is what `mirage_lib.claims.vision` does. One
thread, the same first weights and images on both sides, in turn, and the fastest of three counts. Both must end with
the same weights, but for a twentieth of the way that they went.
"""

import copy
import json
import time
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from mirage_lib.claims import vision

SEEDS, STEPS, BATCH = 5, 20, 32
WIDTHS = {"lenet": (20, 40, 80, 160, 320), "autoencoder": (1, 4, 16, 64)}
RESULTS = Path(__file__).with_name("vision.json")


def networks(family: str, width: int) -> list[nn.Module]:
    torch.manual_seed(0)
    if family == "lenet":
        return [vision.lenet_network(width) for _ in range(SEEDS)]
    return [vision.autoencoder_network(3072, width) for _ in range(SEEDS)]


def task(family: str):
    """Inputs, targets and loss; what is in the images does not change the time."""
    torch.manual_seed(1)
    if family == "lenet":
        shape = (SEEDS, STEPS, BATCH)
        return torch.randn(*shape, 1, 28, 28), torch.randint(10, shape), nn.functional.cross_entropy
    images = torch.randn(SEEDS, STEPS, BATCH, 3072)
    return images, images, nn.functional.mse_loss


def one_after_the_other(nets: list[nn.Module], inputs, targets, loss) -> list[nn.Module]:
    for net, own, wanted in zip(nets, inputs, targets, strict=True):
        optimiser = torch.optim.AdamW(net.parameters())
        for x, y in zip(own, wanted, strict=True):
            optimiser.zero_grad()
            loss(net(x), y).backward()
            optimiser.step()
    return nets


def in_one_batch(nets: list[nn.Module], inputs, targets, loss) -> list[nn.Module]:
    stacked, _ = torch.func.stack_module_state(nets)
    bare = copy.deepcopy(nets[0]).to("meta")
    gradient = torch.func.vmap(torch.func.grad(lambda p, x, y: loss(torch.func.functional_call(bare, p, (x,)), y)))
    optimiser = torch.optim.AdamW(stacked.values())
    for step in range(STEPS):
        found = gradient({name: p.detach() for name, p in stacked.items()}, inputs[:, step], targets[:, step])
        for name, p in stacked.items():
            p.grad = found[name]
        optimiser.step()
    for i, net in enumerate(nets):
        net.load_state_dict({name: p[i].detach() for name, p in stacked.items()})
    return nets


def compare(family: str, width: int, repeats: int = 3) -> dict:
    """One row of the table; raises AssertionError if the two ways end with other weights."""
    inputs, targets, loss = task(family)
    seconds = {one_after_the_other: [], in_one_batch: []}
    trained = {}
    for _ in range(repeats):
        for way, times in seconds.items():
            nets = networks(family, width)
            start = time.perf_counter()
            trained[way] = way(nets, inputs, targets, loss)
            times.append(time.perf_counter() - start)
    weights = nn.utils.parameters_to_vector
    for start, *ends in zip(networks(family, width), *trained.values(), strict=True):
        first, one, other = (weights(net.parameters()) for net in (start, *ends))
        # Adam divides by the size of a gradient: where it is all but zero its last digits decide
        assert (one - other).abs().mean() < 0.05 * (one - first).abs().mean()
    loop, batch = (min(times) / STEPS / SEEDS * 1000 for times in seconds.values())
    return {
        "network": family,
        "width": width,
        "loop (ms a step)": loop,
        "batch (ms a step)": batch,
        "times faster": loop / batch,
    }


def main() -> None:
    """Print the table, and keep it for the book's page on reproducibility."""
    torch.set_num_threads(1)
    rows = [compare(family, width) for family, widths in WIDTHS.items() for width in widths]
    print(pd.DataFrame(rows).to_string(index=False, float_format=lambda value: f"{value:.2f}"))
    RESULTS.write_text(json.dumps({"date": time.strftime("%Y-%m-%d"), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
