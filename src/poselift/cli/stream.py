"""Lift frame by frame: JSON lines in, JSON lines out, as they come.

INPUT is - for lines from the standard input, a video, or a camera: camera for the first one,
camera:1 for the next. A camera goes on until it is interrupted (Ctrl-C). A line is one frame:
{"keypoints": [[x, y], ...]} in pixels, or [[[x, y], ...], ...] of several persons; null where a
joint is absent. "ids" (one for each person; who has null for one is left out), "scores" and
"time" (seconds) may be given. What comes out has "time", and "persons" with "id", "joints" [17][3]
metres from the pelvis and "root" [3] metres from the camera. The latency stands on the last line
of the standard error, and how many frames of a camera were dropped, since newer ones came while
one was worked on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from poselift.cli.parser import Parser, count, positive, size
from poselift.errors import DataError, UsageError

if TYPE_CHECKING:
    from poselift.detect import Camera, Frames
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
    parser.add_argument(
        "--fps",
        metavar="F",
        type=positive,
        help="of the lines (default: 50), in place of a video's own, or asked of a camera",
    )
    parser.add_argument(
        "--size", metavar="WxH", type=size, help="of the images in pixels, or asked of a camera"
    )
    parser.add_argument("--layout", metavar="L", default="h36m-17", help="(default: h36m-17)")
    parser.add_argument("--focal", metavar="PIXELS", type=positive, help="focal length")
    parser.add_argument(
        "--fast", action="store_true", help="take a video as fast as it can be read"
    )
    parser.example(
        "poselift stream --fps 30 --size 1280x720 < frames.jsonl > poses.jsonl",
        "poselift stream walk.mp4 --persons 2",
        "poselift stream camera --size 1280x720 > poses.jsonl",
    )


def _from_zero(text: str) -> int:
    return 0 if text == "0" else count(text)


def run(args: argparse.Namespace) -> None:
    """Lift until the input ends."""
    if args.input == "-":
        _stream(args, _from_lines(sys.stdin.buffer))
        return
    from poselift.detect import Frames

    if args.layout != "h36m-17":
        raise UsageError(f"{args.input} is no keypoints and takes no --layout")
    word, colon, number = args.input.partition(":")
    if word == "camera":
        with _camera(args, number if colon else "0") as camera:
            _stream(args, _until_interrupted(_people(camera, args)), camera)
        return
    if args.size:
        raise UsageError(f"{args.input} is a video and takes no --size")
    video = Frames(Path(args.input), fps=args.fps)
    _stream(args, _people(video, args), video)


def _camera(args: argparse.Namespace, number: str) -> Camera:
    """The camera that is asked for."""
    from poselift.detect import Camera

    if not (number.isascii() and number.isdigit() and len(number) < 4):
        raise UsageError(
            args.input,
            "camera, or camera:1 and so on for others",
            f"./{args.input} is a file of that name",
        )
    if args.fast:
        raise UsageError("--fast, but a camera gives frames as they come")
    return Camera(int(number), fps=args.fps, size=args.size)


def _stream(
    args: argparse.Namespace, frames: Iterable[Frame], source: Camera | Frames | None = None
) -> None:
    """Lift the frames, and say how it went; they are of ``source`` if they are no lines."""
    from poselift.detect import Camera
    from poselift.layouts import get_layout
    from poselift.runtime import StreamingLifter

    layout = "mediapipe-33" if source else args.layout
    lifter = StreamingLifter(
        args.model,
        args.look_ahead,
        fps=source.fps if source else args.fps,
        image_size=(source.width, source.height) if source else args.size,
        layout=layout,
        focal=args.focal,
    )
    latencies = array("d")
    try:
        for latency in _lift(lifter, frames, args.persons, len(get_layout(layout))):
            latencies.append(latency)
    except KeyboardInterrupt:
        if not isinstance(source, Camera):
            raise
    for warning in source.warnings if source else ():
        print(f"poselift: {warning}", file=sys.stderr)
    summary = _summary(latencies, lifter.latency_frames)
    if isinstance(source, Camera):
        summary += f", {source.dropped} dropped"
    print(summary, file=sys.stderr)


def _lift(
    lifter: StreamingLifter, frames: Iterable[Frame], persons: int, joints: int
) -> Iterator[float]:
    """Push every frame and print what comes; seconds from its arrival to its line."""
    import numpy as np

    places = _Places(persons, lifter.latency_frames)
    told = False

    def show(pose: Pose3D) -> None:
        nonlocal told
        if not told and pose.meta["image_size_assumed"] and np.isfinite(pose.joints).any():
            told = True
            width, height = pose.meta["image_size"]
            note = f"assumed images of {width} x {height} by the first joints, see --size"
            print(f"poselift: {note}", file=sys.stderr)
        print(_line(pose, places), flush=True)

    for number, frame in enumerate(frames, start=1):
        keypoints = np.full((persons, joints, 2), np.nan, np.float32)
        scores = np.ones((persons, joints), np.float32)
        now = lifter.next_time if frame.time is None else frame.time
        for identity, (points, sure) in frame.persons.items():
            place, is_new = places.of(identity, now, number)
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
        pose = lifter.push(keypoints, scores, now)
        if pose is not None:
            show(pose)
        yield time.perf_counter() - frame.arrived
    for pose in lifter.flush():
        show(pose)


class _Places:
    """Which person has which row of the lifter."""

    def __init__(self, count: int, look_ahead: int) -> None:
        self._look_ahead = look_ahead
        self._identities: list[Any] = [None] * count
        self._seen = [(-float("inf"), -float("inf"))] * count  # time and number of the frame

    def of(self, identity: Any, now: float, number: int) -> tuple[int | None, bool]:
        """The row of a person, ``None`` if all are taken, and whether it was another's before."""
        if identity in self._identities:
            place = self._identities.index(identity)
            self._seen[place] = now, number
            return place, False
        place = self._seen.index(min(self._seen))
        time_seen, number_seen = self._seen[place]
        # Frames that still wait for others must not lose the person.
        if now - time_seen < _GONE or number - number_seen <= self._look_ahead:
            return None, False
        self._identities[place], self._seen[place] = identity, (now, number)
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


def _from_lines(lines: Iterable[bytes]) -> Iterator[Frame]:
    """Frames of lines in UTF-8, whatever the system's encoding."""
    told = False
    for number, line in enumerate(lines, start=1):
        arrived = time.perf_counter()
        if not line.strip():
            continue
        try:
            content = json.loads(line.decode("utf-8-sig"))
            keypoints, scores = content["keypoints"], content.get("scores")
            if _is_list_of_persons(keypoints, content.get("ids", ())):
                identities = content.get("ids", range(len(keypoints)))
                rows = zip(identities, keypoints, scores or [None] * len(keypoints), strict=True)
                named = [
                    (identity, _joints(p), s) for identity, p, s in rows if identity is not None
                ]
                persons = {identity: (p, s) for identity, p, s in named if p}
                if len({identity for identity, *_ in named}) < len(named):
                    raise ValueError(f"two persons with one id in {identities}")
                if any(identity is None for identity in identities) and not told:
                    told = True
                    note = f"line {number}: a person without an id is left out, as all such are"
                    print(f"poselift: {note}", file=sys.stderr)
            else:
                persons = {0: (_joints(keypoints), scores)} if keypoints else {}
            at = content.get("time")
            yield Frame(persons, None if at is None else float(at), arrived)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise DataError(
                f"line {number}: {type(error).__name__}: {error}",
                'a frame such as {"keypoints": [[x, y], ...]}',
            ) from error


def _is_list_of_persons(keypoints: Any, identities: Any) -> bool:
    """Whether a frame holds persons, and not the joints of one, by its first joint."""
    for entry in keypoints or ():
        for value in entry or ():
            if value is not None:
                return isinstance(value, list)
    # Nobody has a joint; [null, null] is an absent joint, too.
    return bool(keypoints) and (
        len(identities) == len(keypoints)
        or any(entry is not None and len(entry) != 2 for entry in keypoints)
    )


def _joints(person: Any) -> list[Any]:
    return [[None, None] if joint is None else joint for joint in person or ()]


def _until_interrupted(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Frames of a camera: Ctrl-C is its usual end, and what still waits comes out."""
    with suppress(KeyboardInterrupt):
        yield from frames


def _people(source: Camera | Frames, args: argparse.Namespace) -> Iterator[Frame]:
    """Who is in each frame; a video goes at its own pace unless it should be fast."""
    from poselift import detect

    tracker = detect.PoseTracker(detect.BlazePose(detect.find()), "tracking", args.persons)

    def frames() -> Iterator[Frame]:
        start = time.perf_counter()
        for frame in source:
            if isinstance(source, detect.Camera):
                arrived = source.arrived
            else:
                if not args.fast:
                    time.sleep(max(0.0, start + frame.time - time.perf_counter()))
                arrived = time.perf_counter()
            seen = tracker.push(frame.image, frame.time)
            found = {one.person: (one.landmarks.points, one.landmarks.visibility) for one in seen}
            yield Frame(found, frame.time, arrived)

    return frames()


def _summary(latencies: Sequence[float], waited: int) -> str:
    """The line at the end."""
    if not latencies:
        return "poselift: no frames"
    import numpy as np

    p50, p95, p99 = np.percentile(latencies, [50, 95, 99]) * 1e3
    return (
        f"poselift: {len(latencies)} frames, latency p50 {p50:.2f} ms, p95 {p95:.2f} ms, "
        f"p99 {p99:.2f} ms, look-ahead {waited} frames"
    )
