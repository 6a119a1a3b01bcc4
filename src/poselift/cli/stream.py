"""Lift frame by frame: JSON lines in, JSON lines out, as they come.

INPUT is - for lines from the standard input, or a video. A line is one frame:
{"keypoints": [[x, y], ...]} in pixels, or [[[x, y], ...], ...] of several persons; null where a
joint is absent. "ids" (one for each person), "scores" and "time" (seconds) may be given. What
comes out has "time", and "persons" with "id", "joints" [17][3] metres from the pelvis and "root"
[3] metres from the camera. The latency stands on the last line of the standard error.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from poselift.cli.parser import Parser, count, positive, size
from poselift.errors import DataError, UsageError

if TYPE_CHECKING:
    from poselift.poses import FloatArray, Pose3D
    from poselift.runtime import StreamingLifter

_GONE = 1.0
"""Seconds after which the place of a person who is not seen may be given to another."""


class Frame(NamedTuple):
    """One frame: persons by their ids, each with joints (J, 2) and scores (J,).

    ``arrived`` is when it was there, by ``time.perf_counter``; ``time`` is its own, or ``None``.
    """

    persons: dict[Any, tuple[Any, Any]]
    time: float | None
    arrived: float


def add_arguments(parser: Parser) -> None:
    """Arguments of ``poselift stream``."""
    parser.add_argument("input", metavar="INPUT", nargs="?", default="-", help="(default: -)")
    parser.add_argument(
        "--model", default="nanohtnet-causal", help="as for lift (default: %(default)s)"
    )
    parser.add_argument(
        "--look-ahead",
        metavar="N",
        type=_from_zero,
        default=0,
        help="frames to wait for before one is predicted (default: 0)",
    )
    parser.add_argument(
        "--persons", metavar="P", type=count, default=1, help="most at a time (default: 1)"
    )
    parser.add_argument("--fps", metavar="F", type=positive, help="of the lines (default: 50)")
    parser.add_argument("--size", metavar="WxH", type=size, help="of the images in pixels")
    parser.add_argument("--layout", metavar="L", default="h36m-17", help="(default: h36m-17)")
    parser.add_argument("--focal", metavar="PIXELS", type=positive, help="focal length")
    parser.add_argument(
        "--fast", action="store_true", help="take a video as fast as it can be read"
    )
    parser.example(
        "poselift stream --fps 30 --size 1280x720 < frames.jsonl > poses.jsonl",
        "poselift stream walk.mp4 --persons 2",
    )


def _from_zero(text: str) -> int:
    return 0 if text == "0" else count(text)


def run(args: argparse.Namespace) -> None:
    """Lift until the input ends."""
    from poselift.layouts import get_layout
    from poselift.runtime import StreamingLifter

    fps, image_size, layout = args.fps, args.size, args.layout
    if args.input == "-":
        frames: Iterable[Frame] = _from_lines(sys.stdin)
    else:
        if args.layout != "h36m-17" or args.size:
            raise UsageError(f"{args.input} is a video and takes no --layout or --size")
        fps, image_size, frames = _from_video(args.input, args.persons, args.fps, args.fast)
        layout = "mediapipe-33"
    lifter = StreamingLifter(
        args.model,
        args.look_ahead,
        fps=fps,
        image_size=image_size,
        layout=layout,
        focal=args.focal,
    )
    joints = len(get_layout(layout))
    latencies = list(_lift(lifter, frames, args.persons, joints))
    print(_summary(latencies, lifter.latency_frames), file=sys.stderr)


def _lift(
    lifter: StreamingLifter, frames: Iterable[Frame], persons: int, joints: int
) -> Iterator[float]:
    """Push every frame and print what comes; seconds from its arrival to its line."""
    import numpy as np

    places = _Places(persons)
    for number, frame in enumerate(frames, start=1):
        keypoints = np.full((persons, joints, 2), np.nan, np.float32)
        scores = np.ones((persons, joints), np.float32)
        now = frame.arrived if frame.time is None else frame.time
        for identity, (points, sure) in frame.persons.items():
            place, is_new = places.of(identity, now)
            if place is None:
                continue
            if is_new and number > 1:
                lifter.forget(place)
            try:
                for row, given in ((keypoints[place], points), (scores[place], sure)):
                    if given is not None:
                        value = np.array(given, np.float32)  # null becomes NaN
                        if value.shape != row.shape:
                            raise ValueError(f"shape {value.shape}")
                        row[:] = value
            except (TypeError, ValueError) as error:
                raise DataError(
                    f"frame {number}: {error}", f"{joints} joints as [x, y], and scores alike"
                ) from error
        pose = lifter.push(keypoints, scores, frame.time)
        if pose is not None:
            print(_line(pose, places), flush=True)
        yield time.perf_counter() - frame.arrived


class _Places:
    """Which person has which row of the lifter."""

    def __init__(self, count: int) -> None:
        self._identities: list[Any] = [None] * count
        self._seen = [-float("inf")] * count

    def of(self, identity: Any, now: float) -> tuple[int | None, bool]:
        """The row of a person, ``None`` if all are taken, and whether it was another's before."""
        if identity in self._identities:
            place = self._identities.index(identity)
            self._seen[place] = now
            return place, False
        place = self._seen.index(min(self._seen))
        if now - self._seen[place] < _GONE:
            return None, False
        self._identities[place], self._seen[place] = identity, now
        return place, True

    def name(self, place: int) -> Any:
        """Who has a row."""
        return self._identities[place]


def _line(pose: Pose3D, places: _Places) -> str:
    """One frame as JSON: a tenth of a millimetre is enough for anybody."""
    import numpy as np

    def numbers(values: FloatArray) -> Any:
        return np.round(values.astype(np.float64), 4).tolist()

    persons = [
        {
            "id": places.name(p),
            "joints": numbers(pose.joints[p, 0]),
            "root": numbers(pose.root[p, 0]) if np.isfinite(pose.root[p, 0]).all() else None,
        }
        for p in range(pose.num_persons)
        if np.isfinite(pose.joints[p, 0]).all()
    ]
    return json.dumps({"time": round(float(pose.times[0]), 6), "persons": persons})


def _from_lines(lines: Iterable[str]) -> Iterator[Frame]:
    for number, line in enumerate(lines, start=1):
        arrived = time.perf_counter()
        if not line.strip():
            continue
        try:
            content = json.loads(line)
            keypoints, scores = content["keypoints"], content.get("scores")
            if keypoints and not _is_joint(keypoints[0]):
                identities = content.get("ids", range(len(keypoints)))
                rows = zip(identities, keypoints, scores or [None] * len(keypoints), strict=True)
                persons = {identity: (_joints(p), s) for identity, p, s in rows}
            else:
                persons = {0: (_joints(keypoints), scores)} if keypoints else {}
            at = content.get("time")
            yield Frame(persons, None if at is None else float(at), arrived)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise DataError(
                f"line {number}: {type(error).__name__}: {error}",
                'a frame such as {"keypoints": [[x, y], ...]}',
            ) from error


def _is_joint(value: Any) -> bool:
    """``[x, y]`` or ``null``, in place of a person."""
    return value is None or not isinstance(value[0], list | None)


def _joints(person: Any) -> list[Any]:
    return [[None, None] if joint is None else joint for joint in person or ()]


def _from_video(
    path: str, persons: int, fps: float | None, fast: bool
) -> tuple[float, tuple[int, int], Iterator[Frame]]:
    """Frame rate, size and frames of a video, at its own pace unless ``fast``."""
    from poselift import detect

    opened = detect.Frames(Path(path), fps=fps)
    tracker = detect.PoseTracker(detect.BlazePose(detect.find()), "tracking", persons)

    def frames() -> Iterator[Frame]:
        start = time.perf_counter()
        for frame in opened:
            if not fast:
                time.sleep(max(0.0, start + frame.time - time.perf_counter()))
            arrived = time.perf_counter()
            seen = tracker.push(frame.image, frame.time)
            found = {one.person: (one.landmarks.points, one.landmarks.visibility) for one in seen}
            yield Frame(found, frame.time, arrived)

    return opened.fps, (opened.width, opened.height), frames()


def _summary(latencies: list[float], waited: int) -> str:
    """The line at the end."""
    if not latencies:
        return "poselift: no frames"
    import numpy as np

    p50, p95, p99 = np.percentile(latencies, [50, 95, 99]) * 1e3
    return (
        f"poselift: {len(latencies)} frames, latency p50 {p50:.2f} ms, p95 {p95:.2f} ms, "
        f"p99 {p99:.2f} ms, look-ahead {waited} frames"
    )
