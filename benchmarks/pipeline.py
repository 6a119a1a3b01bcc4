"""Speed and memory of the whole command `poselift lift`, from the file to the files.

    python benchmarks/pipeline.py VIDEO [--frames 108000]

Speed: the video is scaled to 720 rows (its shorter side) and encoded as h264, then lifted by the
command in a process of its own, ``--repeat`` times with each of these, in turns:

- ``npz, bvh``: nothing is drawn
- ``npz, html, mp4``: a page and a film are drawn too
- ``npz, bvh, one thread``: as the first, but frames are decoded between detections instead of
  beside them, and persons are looked at one after the other

Reported is the median of each: frames per second from the summary's own clock (all stages but the
start of the program and the opening of files), from start to end of the process, and the share of
each stage. Seconds of decoding and detecting overlap, so that shares are those of the sum.

Memory, with ``--frames``: the video is repeated to so many frames without encoding again, and
lifted; reported is the peak of the resident memory of that process, beside that of a run over a
tenth as many frames, and the slope between the two. It takes as long as it takes.

Needs the extras `video` and `poselift setup`. Writes JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from clips import repeated, scaled
from machine import describe

from poselift.detect import Frames

RESULTS = Path(__file__).parent / "results" / "pipeline.json"
ROWS = 720
COMMAND = "import sys; from poselift.cli.main import main; sys.exit(main(sys.argv[1:]))"
ONE_THREAD = f"from poselift.cli import video; video.ahead = iter; {COMMAND}"
CASES = {
    "npz, bvh": (COMMAND, ["--format", "npz,bvh"]),
    "npz, html, mp4": (COMMAND, ["--format", "npz,html,mp4"]),
    "npz, bvh, one thread": (ONE_THREAD, ["--format", "npz,bvh", "--threads", "1"]),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("video", type=Path)
    parser.add_argument("--person", default="all", help="as for `poselift lift`")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--frames", type=int, default=0, help="measure memory over so many")
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.repeat:
            small = scaled(options.video, Path(folder) / "small.mp4", ROWS)
            about = {"machine": describe("av", "ai-edge-litert", "onnxruntime")}
            found = speed(small, Path(folder), options.repeat, options.person)
            keep(options.json, "speed", about | found)
        if options.frames:
            keep(options.json, "memory", memory(options.video, Path(folder), options.frames))


def keep(path: Path, part: str, found: dict[str, Any]) -> None:
    """Print and write one part; what the file says of others stays."""
    print(json.dumps(found, indent=1))
    report = json.loads(path.read_text()) if path.exists() else {}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(report | {part: found}, indent=1) + "\n", encoding="utf-8")


def speed(video: Path, folder: Path, repeat: int, person: str) -> dict[str, Any]:
    """Frames per second and shares of the stages, for each of `CASES`."""
    frames = Frames(video)
    runs: dict[str, list[dict[str, Any]]] = {case: [] for case in CASES}
    for _ in range(repeat):
        for case, (code, given) in CASES.items():
            runs[case].append(lift(code, video, folder, *given, "--person", person))
    report: dict[str, Any] = {"width": frames.width, "height": frames.height, "runs": repeat}
    report["frames"] = runs["npz, bvh"][0]["frames"]
    report["persons"] = len(runs["npz, bvh"][0]["persons"])
    for case, results in runs.items():
        count = report["frames"]
        report[case] = {
            "fps": round(median(count / one["elapsed"] for one in results), 1),
            "fps_whole_process": round(median(count / one["process"] for one in results), 1),
            "share": {
                stage: round(median(one["share"][stage] for one in results), 3)
                for stage in results[0]["share"]
            },
            "ms_per_frame": {
                stage: round(1000 * median(one["seconds"][stage] for one in results) / count, 2)
                for stage in results[0]["seconds"]
            },
        }
    return report


def lift(code: str, video: Path, folder: Path, *options: str) -> dict[str, Any]:
    """The summary of one run, with ``process`` seconds and ``peak_mb`` of the process."""
    argv = ["lift", str(video), "-o", str(folder / "out"), "--json", "--quiet", *options]
    start = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", code, *argv], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the command failed with code {process.returncode}")
    (summary,) = json.loads(printed)["results"]
    summary["process"] = time.perf_counter() - start
    # Kibibytes on Linux, bytes on macOS.
    summary["peak_mb"] = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return dict(summary)


def memory(video: Path, folder: Path, frames: int) -> dict[str, Any]:
    """Peaks of a long run and of one a tenth as long."""
    report: dict[str, Any] = {"machine": describe(), "runs": []}
    for count in (frames // 10, frames):
        path = folder / f"long{count}{video.suffix}"
        repeated(video, path, count)
        start = time.perf_counter()
        summary = lift(COMMAND, path, folder)
        path.unlink()
        report["runs"].append(
            {
                "frames": summary["frames"],
                "peak_mb": round(summary["peak_mb"], 1),
                "minutes": round((time.perf_counter() - start) / 60, 1),
                "seconds": summary["seconds"],
            }
        )
        print(report["runs"][-1], flush=True)
    short, long = report["runs"]
    slope = (long["peak_mb"] - short["peak_mb"]) / (long["frames"] - short["frames"])
    report["kb_per_frame"] = round(1024 * slope, 3)
    report["mb_of_108000_frames"] = round(long["peak_mb"] + slope * (108_000 - long["frames"]), 1)
    return report


if __name__ == "__main__":
    main()
