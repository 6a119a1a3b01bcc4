"""Frames per second of a film, how much of it is drawing, and the memory it needs.

    poselift lift walk.mp4 -o lifted
    python benchmarks/drawing_speed.py lifted/walk.npz walk.mp4 [--times 3] [--json FILE]

Method: the film is written several times in one process; reported are the fastest time of the
whole (decode, draw, convert, encode) and of drawing alone, by the clock and by the processor, which
a busy machine does not lengthen, and the peak of the resident memory after each film, which does
not grow. Needs the extra `video`.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from machine import describe

from poselift import motion
from poselift.poses import Pose3D
from poselift.viewer import video, write_mp4

RESULTS = Path(__file__).parent / "results" / "drawing_speed.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("motion", type=Path)
    parser.add_argument("video", type=Path)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args()
    pose = motion.read(options.motion)
    films = [film(pose, options.video) for _ in range(options.times)]
    report: dict[str, Any] = {
        "machine": describe(),
        "video": options.video.name,
        "persons": pose.num_persons,
        "frames": pose.num_frames,
        "frames_per_second": {
            key: round(pose.num_frames / min(each[key] for each in films), 1)
            for key in ("film", "film_processor", "drawing", "drawing_processor")
        },
        "peak_memory_mb": [each["memory"] for each in films],
    }
    print(json.dumps(report, indent=2))
    options.json.write_text(json.dumps(report, indent=2) + "\n")


def film(pose: Pose3D, source: Path) -> dict[str, float]:
    """Seconds of one film, and megabytes."""
    drawing = [0.0, 0.0]

    class Timed(video._Screen):
        def draw(self, *arguments: Any) -> Any:
            begun = time.perf_counter(), time.thread_time()
            image = super().draw(*arguments)
            drawing[0] += time.perf_counter() - begun[0]
            drawing[1] += time.thread_time() - begun[1]
            return image

    plain, video._Screen = video._Screen, Timed  # type: ignore[misc]
    try:
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter(), time.process_time()
            write_mp4(pose, Path(folder) / "film.mp4", source)
            whole = time.perf_counter() - begun[0], time.process_time() - begun[1]
    finally:
        video._Screen = plain  # type: ignore[misc]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {
        "film": whole[0],
        "film_processor": whole[1],
        "drawing": drawing[0],
        "drawing_processor": drawing[1],
        "memory": memory,
    }


if __name__ == "__main__":
    main()
