"""A whole video to the 2D joints of everybody in it."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from poselift.detect.blazepose import LANDMARKS, BlazePose, Landmarks
from poselift.detect.tracker import PoseTracker, Seen
from poselift.detect.video import Frame, Frames
from poselift.detect.weights import WeightFiles, find
from poselift.errors import DataError, UsageError
from poselift.layouts import MEDIAPIPE_33
from poselift.poses import FloatArray, Pose2D

AnyPose2D = TypeVar("AnyPose2D", bound=Pose2D)

_GHOST_SECONDS = 0.3
"""Somebody who is seen for less is taken for a mistake of the detector."""


@dataclass(frozen=True, eq=False)
class DetectedPose2D(Pose2D):
    """The joints in a video, in the layout ``mediapipe-33``, with BlazePose's own 3D estimate.

    Args:
        world: (P, T, 33, 3) metres, origin between the hips, x right, y down, z away from the
            camera; NaN where absent.
    """

    world: FloatArray = None  # type: ignore[assignment]  # fields after defaults need one


class FramePersons(NamedTuple):
    """The persons in one frame.

    Args:
        number: of the frame in the video, from 0.
        time: seconds.
        persons: those seen.
    """

    number: int
    time: float
    persons: list[Seen]


def detect_frames(frames: Iterable[Frame], tracker: PoseTracker) -> Iterator[FramePersons]:
    """The persons in each frame, as soon as it is there."""
    for number, time, image in frames:
        yield FramePersons(number, time, tracker.push(image, time))


def detect_video(
    frames: Frames | str | os.PathLike[str],
    mode: str = "tracking",
    persons: str | int = "all",
    *,
    weights: WeightFiles | None = None,
    threads: int | None = None,
    network: BlazePose | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> DetectedPose2D:
    """Find the persons in a video and their joints in every frame.

    Args:
        frames: a video or a folder of images, opened or not.
        mode: ``"tracking"`` follows persons from frame to frame and smooths; ``"static"`` looks
            at each frame on its own.
        persons: ``"all"``; ``"largest"``, the one person who is largest over the video; or a
            number of persons to follow at once (1 works as MediaPipe does: one row of the result,
            which holds whom the detector is surest of whenever nobody is followed).
        weights: the weight files; ``None`` for those that `poselift.detect.setup` put in place.
        threads: that the networks may use, as `BlazePose` has it.
        network: both networks in place of ``weights`` and ``threads``.
        progress: called after each frame with the number done and the number expected.

    Returns:
        persons by first appearance, NaN where one is not seen, and ``world``.

    Raises:
        DataError: nothing readable, or nobody in it.
        UsageError: an argument that cannot be used.
        CheckpointError: the weight files are not there; the message names ``poselift setup``.
        MissingExtraError: the optional libraries are not installed.
    """
    if persons not in ("all", "largest") and (
        isinstance(persons, (str, bool)) or not isinstance(persons, int) or persons < 1
    ):
        raise UsageError(f"persons {persons!r}", "all, largest, or a number of persons")
    most = persons if isinstance(persons, int) else None
    network = network or BlazePose(weights or find(), threads)
    tracker = PoseTracker(network, mode, most)
    opened = frames if isinstance(frames, Frames) else Frames(frames)

    def told() -> Iterator[FramePersons]:
        for done, frame in enumerate(detect_frames(opened, tracker), start=1):
            yield frame
            if progress is not None:
                progress(done, opened.count)

    size, source = (opened.width, opened.height), f"{opened.name} (BlazePose, {mode})"
    pose = to_pose(told(), opened.fps, size, source)
    return largest(pose) if persons == "largest" else pose


def to_pose(
    frames: Iterable[FramePersons],
    fps: float,
    image_size: tuple[int, int] | None = None,
    source: str = "BlazePose",
) -> DetectedPose2D:
    """Persons by frame to persons by track.

    Args:
        frames: in the order of their times; they are taken one at a time.
        fps: frames per second.
        image_size: (width, height) pixels.
        source: for provenance.

    Raises:
        DataError: nobody in any frame.
    """
    times: list[float] = []
    tracks: dict[int, _Track] = {}
    for column, frame in enumerate(frames):
        times.append(frame.time)
        for seen in frame.persons:
            tracks.setdefault(seen.person, _Track()).add(column, seen.landmarks)
    # A short clip has short tracks; and somebody there is better than nobody.
    longest = max((len(track) for track in tracks.values()), default=0)
    enough = min(_GHOST_SECONDS * fps, len(times) / 2, longest)
    kept = {person: track for person, track in tracks.items() if len(track) >= enough}
    if not kept:
        raise DataError(
            f"{source}: nobody found in {len(times)} frames",
            "a person in sight, with most of the body",
        )
    shape = (len(kept), len(times), LANDMARKS)
    keypoints = np.full((*shape, 2), np.nan, np.float32)
    world = np.full((*shape, 3), np.nan, np.float32)
    scores = np.zeros(shape, np.float32)
    for row, track in enumerate(kept.values()):
        columns, values = track.arrays()
        keypoints[row, columns] = values[..., :2]
        world[row, columns] = values[..., 2:5]
        scores[row, columns] = values[..., 5]
    return DetectedPose2D(
        keypoints=keypoints,
        scores=scores,
        skeleton=MEDIAPIPE_33,
        fps=fps,
        times=np.array(times),
        image_size=image_size,
        track_ids=np.array(list(kept)),
        source=source,
        world=world,
    )


class _Track:
    """One person over time: an hour of frames is kept, in single precision as the result has it,
    and without an object for each.
    """

    def __init__(self) -> None:
        self._columns, self._values = array("q"), array("f")

    def __len__(self) -> int:
        return len(self._columns)

    def add(self, column: int, found: Landmarks) -> None:
        """Keep a frame."""
        values = np.column_stack([found.points, found.world, found.visibility])  # (33, 6)
        self._columns.append(column)
        self._values.frombytes(values.astype(np.float32).tobytes())

    def arrays(self) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Numbers of the frames (N,) and values (N, 33, 6): x, y, world x, y, z, visibility."""
        values = np.frombuffer(self._values, np.float32)
        return np.frombuffer(self._columns, np.int64), values.reshape(-1, LANDMARKS, 6)


def largest(pose: AnyPose2D) -> AnyPose2D:
    """The one person who is largest in the image, added up over the frames."""
    present = np.isfinite(pose.keypoints)
    spread = np.max(pose.keypoints, axis=2, initial=-np.inf, where=present) - np.min(
        pose.keypoints, axis=2, initial=np.inf, where=present
    )  # (P, T, 2); -inf where absent
    size = np.linalg.norm(np.maximum(spread, 0), axis=-1).sum(axis=1)
    return select(pose, [int(np.argmax(size))])


def select(pose: AnyPose2D, rows: Sequence[int]) -> AnyPose2D:
    """The persons in these rows of ``pose``, in this order."""
    names = ["keypoints", "scores", "track_ids"]
    if isinstance(pose, DetectedPose2D):
        names.append("world")
    return replace(pose, **{name: getattr(pose, name)[list(rows)] for name in names})
