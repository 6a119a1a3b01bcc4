"""Windows of 243 frames per second of one core: index-only windows against copied sequences.

    python benchmarks/loader_throughput.py

The baseline is the access pattern of the loaders that the field shares since VideoPose3D, in our
own words: for every window copy the whole sequence of 2D and of 3D joints, cut the window out, pad
it at the ends of the sequence by repeating the first or last frame, mirror half of the windows, and
stack the batch. Ours is `poselift.data.paired.PairedBatches`. Both work on the same arrays, in one
process with one thread, and give the same batches, which is checked first. Rounds of both
alternate; the medians of their processor time are compared. Sequences are as long as those of
Human3.6M's training set, and a third of their number.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import machine
import numpy as np
import torch

from poselift.data.clips import PairedClip
from poselift.data.paired import PairedBank, PairedBatches
from poselift.skeleton import H36M_17

ROOT = Path(__file__).resolve().parents[1]
MIRROR = list(H36M_17.mirror_indices)


class CopyingWindows:
    """The baseline."""

    def __init__(self, bank: PairedBank, window: int, num_out: int) -> None:
        places = list(zip(bank.starts.tolist(), bank.lengths.tolist(), strict=True))
        self.keypoints = [bank.keypoints[a : a + n].numpy().copy() for a, n in places]
        self.joints = [bank.joints[a : a + n].numpy().copy() for a, n in places]
        self.window, self.num_out = window, num_out

    def batch(
        self, clips: list[int], firsts: list[int], mirrored: list[bool]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        before = (self.window - self.num_out) // 2
        inputs, targets = [], []
        for clip, first, flip in zip(clips, firsts, mirrored, strict=True):
            x = _cut(self.keypoints[clip].copy(), first - before, self.window)
            y = _cut(self.joints[clip].copy(), first, self.num_out)
            if flip:
                x[..., 0] *= -1
                y[..., 0] *= -1
                x, y = x[:, MIRROR], y[:, MIRROR]
            inputs.append(x)
            targets.append(y)
        return torch.from_numpy(np.stack(inputs)), torch.from_numpy(np.stack(targets))


def _cut(sequence: np.ndarray, start: int, frames: int) -> np.ndarray:
    low, high = max(start, 0), min(start + frames, len(sequence))
    piece = sequence[low:high]
    if high - low < frames:
        piece = np.pad(piece, ((low - start, start + frames - high), (0, 0), (0, 0)), "edge")
    return piece


def make_clips(count: int, seed: int) -> list[PairedClip]:
    """Sequences of 1,000 to 5,000 frames; the numbers in them do not matter here."""
    rng = np.random.default_rng(seed)
    clips = []
    for n in range(count):
        frames = int(rng.integers(1000, 5001))
        clips.append(
            PairedClip(
                name=str(n),
                subject="S1",
                action="",
                keypoints=rng.random((frames, 17, 2), dtype=np.float32) * 1000,
                joints=rng.random((frames, 17, 3), dtype=np.float32),
                image_size=(1000, 1002),
                fps=50.0,
            )
        )
    return clips


def measure(
    ours: PairedBatches, theirs: CopyingWindows, batches: int, rounds: int
) -> dict[str, float]:
    """Windows per second of both, in alternating rounds."""
    original = len(theirs.keypoints)
    steps = iter(range(10**9))

    starts = ours.bank.starts

    def windows_of(step: int) -> tuple[list[int], list[int], list[bool]]:
        """What the baseline must cut out for the same batch."""
        numbers = ours._order(0)[step * ours.batch_size : (step + 1) * ours.batch_size]
        first = ours._read[numbers] + ours._offset  # row of the first predicted frame
        clip = torch.searchsorted(starts - starts[0], first, right=True) - 1
        return (
            (clip % original).tolist(),
            (first - starts[clip]).tolist(),
            (clip >= original).tolist(),
        )

    for a, b in zip(ours(0), theirs.batch(*windows_of(0)), strict=True):
        assert torch.equal(a, b), "both must give the same batch"

    def timed(make: Callable[[int], object], count: int) -> float:
        chosen = [next(steps) for _ in range(count)]
        started = time.process_time()
        for step in chosen:
            make(step)
        return count * ours.batch_size / (time.process_time() - started)

    planned = {step: windows_of(step) for step in range((batches + 1) * rounds * 2)}
    speeds: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        speeds[0].append(timed(ours, batches))
        speeds[1].append(timed(lambda step: theirs.batch(*planned[step]), 1))
    fast, slow = (statistics.median(values) for values in speeds)
    ratios = [a / b for a, b in zip(*speeds, strict=True)]
    return {
        "ours_windows_per_second": round(fast),
        "copying_windows_per_second": round(slow),
        "times_as_fast": round(fast / slow, 1),
        "times_as_fast_lowest_round": round(min(ratios), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=200, help="sequences (default: 200)")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument(
        "--json", type=Path, default=ROOT / "benchmarks/results/loader_throughput.json"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    bank = PairedBank.from_clips(make_clips(arguments.clips, seed=0), "screen")
    results = {}
    for name, num_out, stride in (
        ("one centre frame of 243", 1, 1),
        ("9 centre frames of 243", 9, 1),
        ("all 243 frames", 243, 1),
    ):
        ours = PairedBatches(bank, arguments.batch_size, 243, num_out, stride=stride)
        theirs = CopyingWindows(bank, 243, num_out)
        results[name] = measure(ours, theirs, batches=10, rounds=arguments.rounds)
        print(name, results[name], flush=True)
    out = {
        "machine": machine.describe("torch"),
        "sequences": arguments.clips,
        "frames": len(bank.joints),
        "batch_size": arguments.batch_size,
        "results": results,
    }
    arguments.json.write_text(json.dumps(out, indent=2) + "\n")


if __name__ == "__main__":
    main()
