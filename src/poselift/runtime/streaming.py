"""Lift frame by frame, as they come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.conversion import to_h36m
from poselift.errors import DataError, UsageError
from poselift.geometry.root import solve_root
from poselift.layouts import get_layout
from poselift.poses import FloatArray, Pose2D, Pose3D
from poselift.runtime.assumptions import Size, chosen_focal, guess_image_size
from poselift.runtime.backends import open_backend
from poselift.runtime.hold import HoldLast
from poselift.runtime.lifter import describe, describe_camera, describe_layout
from poselift.runtime.network import Anchor, PixelNetwork, with_scores
from poselift.runtime.store import find
from poselift.skeleton import H36M_17


class StreamingLifter:
    """Lifts one frame after the other. A frame costs one window of the network.

    Without look-ahead and with a network for the newest frame, what comes out is what
    `Lifter` gives for the whole clip. At the network's frame rate or any other: the frames of a
    window are interpolated between the source's, counted back from the newest.

    Args:
        model: as for `Lifter`. Networks for the centre frame work too: without look-ahead they
            read the newest frame repeated where the future should be, which costs accuracy.
        look_ahead: frames of the source to wait for before a frame is predicted.
        backend: as for `Lifter`.
        threads: as for `Lifter`; one is fastest for a single window.
        fps: frame rate of the source; ``None`` is the network's.
        image_size: (width, height) in pixels; ``None`` assumes the smallest usual size that
            holds the first frame's joints.
        layout: of the joints pushed.
        variant: conversion to Human3.6M's joints, see `poselift.conversion`.
        focal: as for `Lifter.lift`.

    Raises:
        UsageError: unknown model, backend or layout, a value out of its range, or more
            look-ahead than the network can use.
        CheckpointError: the weights cannot be used, or predict no metres.
        MissingExtraError: the backend torch without torch.
    """

    def __init__(
        self,
        model: str | Path = "nanohtnet-causal",
        look_ahead: int = 0,
        *,
        backend: str = "onnxruntime",
        threads: int | None = 1,
        fps: float | None = None,
        image_size: Size | None = None,
        layout: str = H36M_17.name,
        variant: str | None = None,
        focal: float | None = None,
    ) -> None:
        stored = find(model)
        loaded = open_backend(stored, backend, threads)
        self._name = stored.name
        self._about = loaded.about
        self._about.require_metres()
        self._network = PixelNetwork(loaded)
        self._skeleton = get_layout(layout)
        self._variant = variant
        self._focal = focal
        self._image_size = image_size
        self._fps = self._about.fps if fps is None else fps
        self._look_ahead = look_ahead
        self._check_options()
        chosen_focal(focal, image_size or (1, 1))
        self._anchor = Anchor.of(self._about, look_ahead, self._fps)
        self.reset()

    def _check_options(self) -> None:
        """By making a frame of nothing."""
        blank = np.full((len(self._skeleton), 2), np.nan)
        try:
            self._frame(blank, None, 0.0)
        except UsageError:
            raise
        except (DataError, TypeError, ValueError) as error:
            raise UsageError(
                f"fps={self._fps!r}, image_size={self._image_size!r}: {error}",
                "positive numbers, image_size as (width, height)",
            ) from error

    @property
    def latency_frames(self) -> int:
        """Frames of the source by which a prediction is late: push k gives frame k - this."""
        return self._look_ahead

    @property
    def next_time(self) -> float:
        """Seconds at which a frame without a time comes: one frame of ``fps`` after the last."""
        return 0.0 if self._buffer is None else self._buffer.newest + 1 / self._fps

    def reset(self) -> None:
        """Forget all frames: the next one is the first."""
        self._size: Size | None = self._image_size
        self._hold: HoldLast | None = None
        self._buffer: _Buffer | None = None

    def forget(self, person: int) -> None:
        """Give the place of a person who is gone to another: their frames are no longer read.

        Raises:
            UsageError: no such person.
        """
        persons = 0 if self._buffer is None else self._buffer.persons
        if self._buffer is None or self._hold is None or not 0 <= person < persons:
            raise UsageError(f"person {person!r}", f"one of the {persons} that were pushed")
        self._hold.forget(person)
        self._buffer.forget_person(person)

    def push(
        self,
        keypoints: npt.ArrayLike,
        scores: npt.ArrayLike | None = None,
        time: float | None = None,
    ) -> Pose3D | None:
        """The next frame.

        Args:
            keypoints: (J, 2) pixels, or (P, J, 2) of the same P persons in every frame; NaN
                where absent. An absent joint stays where it was last seen.
            scores: (J,) or (P, J); 1 if not given.
            time: seconds, later than the frame before; ``None`` is one frame of ``fps`` after it.

        Returns:
            One frame of P persons, ``look_ahead`` frames ago: NaN for a person of whom it had
            no joint. ``None`` while it is too early for that.

        Raises:
            DataError: another shape or number of persons, infinite values, or a time that does
                not increase. The frame is not taken then.
        """
        buffer = self._buffer
        if time is None:
            time = self.next_time
        frame = self._frame(keypoints, scores, time)
        if buffer is None:
            seconds = self._about.window / self._about.fps
            frames = int(np.ceil(seconds * self._fps)) + self._look_ahead + 2
            self._buffer = buffer = _Buffer(frame.num_persons, frames)
            self._hold = HoldLast(frame.num_persons)
        if frame.num_persons != buffer.persons:
            raise DataError(
                f"a frame of {frame.num_persons} persons",
                f"{buffer.persons}, as in the frames before",
                "reset() first",
            )
        if not time > buffer.newest:
            raise DataError(f"time {time:g} s after {buffer.newest:g} s", "times that increase")
        if self._size is None:
            pushed = np.asarray(keypoints, dtype=np.float32)
            if np.isfinite(pushed).all(axis=-1).any():
                self._size = guess_image_size(pushed)
        return self._take(buffer, time, frame.keypoints[:, 0], frame.scores[:, 0])

    def flush(self) -> list[Pose3D]:
        """The frames that still wait for ``look_ahead`` others, as if the newest one stood still.

        Returns:
            As many poses as were withheld, in their order; none without look-ahead. The next
            frame is the first of another clip, as after `reset`.
        """
        buffer, poses = self._buffer, []
        for _ in range(self._look_ahead if buffer is not None else 0):
            assert buffer is not None
            last = buffer.keypoints[:, -1].copy(), buffer.scores[:, -1].copy()
            pose = self._take(buffer, self.next_time, *last)
            poses += [] if pose is None else [pose]
        self.reset()
        return poses

    def _take(
        self, buffer: _Buffer, time: float, keypoints: FloatArray, scores: FloatArray
    ) -> Pose3D | None:
        """Append a frame (P, 17, 2), (P, 17), and lift the one that is to come out."""
        assert self._hold is not None
        known = self._hold.known
        filled = self._hold.push(keypoints)
        buffer.append(time, keypoints, scores, filled)
        # Before the first sight of a person there was only that.
        buffer.fill_back(np.flatnonzero(self._hold.known & ~known))
        if buffer.count <= self._look_ahead:
            return None
        pose = self._lift(buffer)
        buffer.forget(buffer.times[-1 - self._look_ahead] + self._anchor.offsets[0])
        return pose

    def _frame(self, keypoints: npt.ArrayLike, scores: npt.ArrayLike | None, time: float) -> Pose2D:
        """One frame, checked, in Human3.6M's joints."""
        try:
            points = np.asarray(keypoints, dtype=np.float32)
            sure = None if scores is None else np.asarray(scores, dtype=np.float32)
            times = np.array([time], dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"a frame that is not made of numbers ({error})", "arrays") from error
        if points.ndim not in (2, 3) or (sure is not None and sure.ndim != points.ndim - 1):
            raise DataError(
                f"a frame of shape {points.shape}", "(J, 2) or (P, J, 2), and scores alike"
            )
        if points.ndim == 2:
            points, sure = points[None], None if sure is None else sure[None]
        pose = Pose2D(
            points[:, None],
            scores=None if sure is None else sure[:, None],  # type: ignore[arg-type]  # None is filled in
            skeleton=self._skeleton,
            fps=self._fps,
            times=times,
            image_size=self._image_size,
        )
        return to_h36m(pose, self._variant)

    def _lift(self, buffer: _Buffer) -> Pose3D:
        """The frame that is ``look_ahead`` before the newest."""
        i = len(buffer.times) - 1 - self._look_ahead
        keypoints, scores = buffer.keypoints[:, i : i + 1], buffer.scores[:, i : i + 1]
        times = buffer.times[i : i + 1].copy()
        present = np.isfinite(keypoints[:, 0, :, 0]).any(axis=1)  # (P,)
        joints = np.full((*keypoints.shape[:3], 3), np.nan, dtype=np.float32)  # (P, 1, 17, 3)
        size = self._size or (1, 1)  # not used before anything was seen
        if present.any():
            read = with_scores(buffer.filled[present], buffer.scores[present], self._about)
            windows = self._anchor.windows(read, buffer.times, times)
            joints[present, 0] = self._network(windows, size)[:, self._anchor.output]
        focal = chosen_focal(self._focal, size)
        root = solve_root(joints, keypoints, focal, np.array(size) / 2, scores)
        return Pose3D(
            joints=joints,
            root=root.astype(np.float32),
            keypoints=keypoints.copy(),
            scores=scores.copy(),
            skeleton=H36M_17,
            fps=self._fps,
            times=times,
            meta={
                **describe(self._name, self._about, ""),
                **describe_layout(self._skeleton.name, self._variant),
                **describe_camera(self._image_size, size, self._focal, focal),
                "look_ahead": self._look_ahead,
            },
        )


class _Buffer:
    """The newest frames, in arrays that stay: a frame costs a copy of itself.

    Frames are appended until the arrays are full, and those still wanted then move to the front.
    Twice the wanted number fits, so that this is rare; the arrays grow only if a source is faster
    than it said. Frames come first, (T, P, ...), so that moving them moves one block.
    """

    def __init__(self, persons: int, frames: int) -> None:
        self.persons = persons
        self.count = 0
        self._start = self._end = 0
        joints = len(H36M_17)
        self._arrays: dict[str, npt.NDArray[Any]] = {
            "times": np.zeros(2 * frames, dtype=np.float64),
            "keypoints": np.zeros((2 * frames, persons, joints, 2), dtype=np.float32),
            "scores": np.zeros((2 * frames, persons, joints), dtype=np.float32),
            "filled": np.zeros((2 * frames, persons, joints, 2), dtype=np.float32),
        }

    def _frames(self, name: str) -> npt.NDArray[Any]:
        return self._arrays[name][self._start : self._end]

    @property
    def times(self) -> FloatArray:
        """(T,) seconds."""
        return self._frames("times")

    @property
    def keypoints(self) -> FloatArray:
        """(P, T, 17, 2) pixels as they came, NaN where absent."""
        return self._frames("keypoints").swapaxes(0, 1)

    @property
    def scores(self) -> FloatArray:
        """(P, T, 17)."""
        return self._frames("scores").swapaxes(0, 1)

    @property
    def filled(self) -> FloatArray:
        """(P, T, 17, 2) pixels without NaN."""
        return self._frames("filled").swapaxes(0, 1)

    @property
    def newest(self) -> float:
        """Time of the newest frame; minus infinity if there is none."""
        return float(self.times[-1]) if self.count else -np.inf

    def append(
        self, time: float, keypoints: FloatArray, scores: FloatArray, filled: FloatArray
    ) -> None:
        """Add a frame: (P, 17, 2), (P, 17), (P, 17, 2)."""
        if self._end == len(self._arrays["times"]):
            self._make_room()
        frame = {"times": time, "keypoints": keypoints, "scores": scores, "filled": filled}
        for name, value in frame.items():
            self._arrays[name][self._end] = value
        self._end += 1
        self.count += 1

    def fill_back(self, persons: npt.NDArray[np.int64]) -> None:
        """Give all older frames of these persons the newest one's filled joints."""
        for p in persons:
            self.filled[p] = self.filled[p, -1]

    def forget_person(self, person: int) -> None:
        """Make all frames of a person absent."""
        self.keypoints[person] = np.nan
        self.scores[person] = 0.0

    def forget(self, time: float) -> None:
        """Drop frames that lie before ``time``, but for the last of them."""
        older = int(np.searchsorted(self.times, time, side="right"))
        self._start += max(0, older - 1)

    def _make_room(self) -> None:
        start, end, wanted = self._start, self._end, self._end - self._start
        for name, array in self._arrays.items():
            if 2 * wanted > len(array):
                array = self._arrays[name] = np.concatenate([array, np.zeros_like(array)])
            array[:wanted] = array[start:end]
        self._start, self._end = 0, wanted
