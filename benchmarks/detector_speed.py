"""Time of the detector per frame on one core, and its memory over a long video.

    python benchmarks/detector_speed.py VIDEO... [--minutes 60]

Method: the process is bound to one core where the system can. Each video is decoded and followed
as MediaPipe does (one person) and with everybody; reported are medians over the frames of the wall
time and of the processor time of this thread, which a busy machine does not lengthen. The parts of
one tracked frame (crop, landmark network, the rest) are measured on one frame, in turns. With
``--minutes`` the first video is repeated, without encoding again, to that length, and decoded and
followed; reported is the peak of the resident memory at tenths of the way. Needs the extra `video`
and `poselift setup`.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from clips import repeated
from machine import describe
from pipeline import keep

from poselift.detect import BlazePose, Frames, PoseTracker, find
from poselift.detect.clip import detect_video

RESULTS = Path(__file__).parent / "results" / "detector_speed.json"
FRAMES = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    about = {"machine": describe(), "unit": "ms per frame, median"}
    keep(options.json, "speed", about | {"videos": speed(options.videos)})
    if options.minutes:
        about = {"machine": describe()}
        keep(options.json, "memory", about | memory(options.videos[0], options.minutes))


def speed(videos: list[Path]) -> dict[str, Any]:
    """The rows of each video."""
    network = BlazePose(find(), threads=1)  # processor time of other threads is not seen
    return {
        path.name: {
            "one person": follow(network, path, 1),
            "everybody": follow(network, path, None),
            "parts of a frame": parts(network, path),
        }
        for path in videos
    }


def follow(network: BlazePose, path: Path, most: int | None) -> dict[str, float]:
    """Decoding and detection, frame by frame."""
    tracker = PoseTracker(network, "tracking", most)
    decode, wall, cpu, persons = [], [], [], []
    start = time.perf_counter()
    for number, moment, image in Frames(path):
        decode.append(time.perf_counter() - start)
        before = time.thread_time()
        start = time.perf_counter()
        persons.append(len(tracker.push(image, moment)))
        wall.append(time.perf_counter() - start)
        cpu.append(time.thread_time() - before)
        if number >= FRAMES:
            break
        start = time.perf_counter()
    return {
        "frames": len(wall),
        "mean_persons": round(float(np.mean(persons)), 2),
        "decode_wall": milliseconds(decode),
        "detect_wall": milliseconds(wall),
        "detect_processor": milliseconds(cpu),
        "detect_processor_mean": round(float(np.mean(cpu)) * 1e3, 2),
    }


def parts(network: BlazePose, path: Path) -> dict[str, float]:
    """Processor time of the parts, on the first frame in which the detector sees somebody."""
    for _, _, image in Frames(path):
        if found := network.detect(image):
            break
    else:
        return {}
    region = found[0].region
    pixels = region.crop(image, 256) / np.float32(255)
    work = {
        "crop": lambda: region.crop(image, 256),
        "landmark network": lambda: network._landmarks(pixels),
        "crop, network and decoding": lambda: network.landmarks(image, region),
        "detector": lambda: network.detect(image),
    }
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(40):
        for name, call in work.items():
            before = time.thread_time()
            call()
            times[name].append(time.thread_time() - before)
    return {name: milliseconds(values) for name, values in times.items()}


def memory(path: Path, minutes: float) -> dict[str, Any]:
    """Peak of the resident memory while a repeated video is followed."""
    with tempfile.TemporaryDirectory() as folder:
        frames = round(minutes * 60 * Frames(path).fps)
        long = repeated(path, Path(folder) / f"long{path.suffix}", frames)
        peaks: list[float] = []

        def note(done: int, _: int | None) -> None:
            if done % max(1, frames // 10) == 0:
                peaks.append(peak_mb())

        pose = detect_video(long, persons=1, progress=note)
    return {"minutes": minutes, "frames": pose.num_frames, "peak_mb": peaks, "end_mb": peak_mb()}


def peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)


def milliseconds(seconds: list[float]) -> float:
    return round(float(np.median(seconds)) * 1e3, 2)


if __name__ == "__main__":
    main()
