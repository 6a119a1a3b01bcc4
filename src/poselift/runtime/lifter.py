"""Lift whole clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from poselift import __version__
from poselift.checkpoints import About
from poselift.conversion import to_h36m, variants
from poselift.data.windows import Windows, WindowUse, plan_single, plan_windows
from poselift.errors import DataError, UsageError
from poselift.geometry.root import solve_root
from poselift.keypoints.gaps import GapReport, fill_gaps
from poselift.keypoints.sides import SidesReport, repair_sides
from poselift.poses import Pose2D, Pose3D
from poselift.runtime.assumptions import Size, chosen_focal, guess_clip_size
from poselift.runtime.backends import open_backend
from poselift.runtime.blend import Blender
from poselift.runtime.hold import hold_last
from poselift.runtime.network import Anchor, PixelNetwork, with_scores
from poselift.runtime.resample import Times, grid, interpolate, stretches
from poselift.runtime.store import find
from poselift.skeleton import H36M_17

CHUNK = 64
"""Windows in one call of a network: fastest per window, and memory stays flat in long clips."""
CHUNK_FRAMES = 576
"""Frames predicted in one call at most, by more than one window: a network that predicts many
holds the tokens of each."""

_Joints = npt.NDArray[np.float32]
_Mask = npt.NDArray[np.bool_]


class Lifter:
    """Lifts whole clips: all frames in, all frames out, at any frame rate.

    Args:
        model: a shipped name (`poselift.runtime.store.shipped`), a checkpoint folder, or an
            exported ``.onnx`` file.
        backend: ``"onnxruntime"``, ``"torch"`` or ``"auto"``.
        threads: that one call may use; ``None`` for all cores.
        stride: frames from one window to the next, at the network's frame rate, up to the frames
            that a window predicts; overlapping predictions are blended. One is smoothest, more
            is as many times faster. If not given it is one, and for a network that predicts its
            whole window a third of that. Networks for the newest frame always have a window for
            each frame of the source, since an earlier frame may not know of a later one.
        flip: average with the mirrored prediction of the mirrored input: twice the time, a
            little more exact.
        windows: ``"blended"`` as above; ``"centre"``, each frame as the middle prediction of a
            window of its own; ``"tiled"``, windows side by side; or ``"published"``, as the field
            measures: tiled for a network that predicts its whole window, centre for any other.

    Raises:
        UsageError: unknown model or backend, or a value out of its range.
        CheckpointError: the weights cannot be used.
        MissingExtraError: the backend torch without torch.
    """

    def __init__(
        self,
        model: str | Path = "nanohtnet",
        backend: str = "onnxruntime",
        threads: int | None = None,
        *,
        stride: int | None = None,
        flip: bool = False,
        windows: WindowUse = "blended",
    ) -> None:
        stored = find(model)
        loaded = open_backend(stored, backend, threads)
        self._name = stored.name
        self._about = loaded.about
        self._network = PixelNetwork(loaded, bool(flip))
        self._windows = _chosen_windows(windows, self._about)
        self._stride = _checked_stride(stride, self._windows, self._about)

    @property
    def about(self) -> About:
        """Window, frame rate, licence and all else that is known of the network."""
        return self._about

    @property
    def _chunk(self) -> int:
        """Windows in one call."""
        return max(1, min(CHUNK, CHUNK_FRAMES // self._about.num_out))

    def lift(
        self,
        pose: Pose2D,
        *,
        variant: str | None = None,
        focal: float | None = None,
        repair: bool = True,
    ) -> Pose3D:
        """Lift a clip.

        Args:
            pose: 2D joints of P persons in T frames, in any layout. Absent joints are filled in
                time; without an image size the smallest usual one that fits is assumed.
            variant: conversion to Human3.6M's joints, see `poselift.conversion`.
            focal: focal length, pixels, for the position of the root; if not given, that of a
                usual camera (`poselift.geometry.root.default_focal`).
            repair: put left and right back where the detector exchanged them for a while
                (`poselift.keypoints.sides`). Networks for the newest frame take them as they are,
                since that needs later frames.

        Returns:
            The same persons, frames and times. NaN in frames without any joint of a person. What
            was assumed and filled is in ``meta``.

        Raises:
            UsageError: no conversion from this layout, or a focal length that is not positive.
            DataError: not a `Pose2D`.
        """
        if not isinstance(pose, Pose2D):
            raise DataError(
                f"keypoints as {type(pose).__name__}", "a Pose2D", "see poselift.keypoints.read"
            )
        source = to_h36m(pose, variant)
        newest = self._about.target == "newest"
        sides = None
        if repair and not newest:
            source, sides = repair_sides(source)
        filled, gaps = fill_gaps(source)
        keypoints = hold_last(source.keypoints) if newest else filled.keypoints
        # A joint that was filled in has the score 0.
        keypoints = with_scores(keypoints, source.scores, self._about)
        size = pose.image_size or guess_clip_size(pose.keypoints, causal=newest)
        focal_px = chosen_focal(focal, size)
        if newest:
            joints = self._lift_each(keypoints, ~gaps.absent, pose.times, size)
        else:
            joints = self._lift_blended(keypoints, ~gaps.absent, pose.times, size)
        joints[gaps.absent] = np.nan
        centre = np.array(size) / 2
        root = solve_root(joints, source.keypoints, focal_px, centre, source.scores)
        return Pose3D(
            joints=joints,
            root=root.astype(np.float32),
            keypoints=source.keypoints,
            scores=source.scores,
            skeleton=H36M_17,
            fps=pose.fps,
            times=pose.times,
            track_ids=pose.track_ids,
            meta={
                **describe(self._name, self._about, pose.source),
                **describe_layout(pose.skeleton.name, variant),
                **describe_camera(pose.image_size, size, focal, focal_px),
                "windows": self._windows,
                "stride": self._stride,
                "repair": repair and not newest,
                "flip": self._network.flip,
                "gaps": _describe_gaps(gaps, sides),
            },
        )

    def _lift_each(self, keypoints: _Joints, present: _Mask, times: Times, size: Size) -> _Joints:
        """A window for each frame, of which that frame's prediction is used: (P, T, 17, 3).

        The same windows as `StreamingLifter` has without look-ahead. NaN where not ``present``.
        """
        anchor = Anchor.of(self._about, 0, self._about.fps)
        joints = np.full((*keypoints.shape[:3], 3), np.nan, dtype=np.float32)
        for p, here in enumerate(present):
            frames = np.flatnonzero(here)
            for start in range(0, len(frames), self._chunk):
                chunk = frames[start : start + self._chunk]
                windows = anchor.windows(keypoints[p : p + 1], times, times[chunk])
                joints[p, chunk] = self._network(windows, size)[:, anchor.output]
        return joints

    def _lift_blended(
        self, keypoints: _Joints, present: _Mask, times: Times, size: Size
    ) -> _Joints:
        """Windows at the network's frame rate, overlapping ones blended: (P, T, 17, 3)."""
        about = self._about
        # What is more than a window away tells nothing, and no lines are drawn through hours. One
        # frame alone has no rate.
        longest = np.inf if about.window == 1 else about.window / about.fps
        joints = np.empty((*keypoints.shape[:3], 3), dtype=np.float32)
        for part in stretches(times, longest):
            joints[:, part] = self._lift_stretch(
                keypoints[:, part], present[:, part], times[part], size
            )
        return joints

    def _lift_stretch(
        self, keypoints: _Joints, present: _Mask, times: Times, size: Size
    ) -> _Joints:
        """The same for times without a long gap."""
        about = self._about
        regular = times if about.window == 1 else grid(times, about.fps)
        if regular is not times:
            keypoints = interpolate(keypoints, times, regular)
        persons, frames = keypoints.shape[:2]
        if self._windows == "blended":
            plan = plan_windows(frames, about.window, about.num_out, self._stride, about.target)
        else:
            plan = plan_single(frames, about.window, about.num_out, self._windows == "tiled")
        person, window = _needed(plan, present, times, regular)
        blender = Blender(persons, frames, about.num_out, len(H36M_17))
        for start in range(0, len(person), self._chunk):
            p, w = person[start : start + self._chunk], window[start : start + self._chunk]
            chunk = plan[w]
            pixels = keypoints[p[:, None], chunk.inputs]  # (W, F, 17, 2 or 3)
            blender.add(p, chunk.outputs, self._network(pixels, size))
        joints = blender.result()
        if regular is times:
            return joints
        # What the last frame of the grid read, if that lies beyond the clip, was the clip's end.
        return interpolate(joints, np.minimum(regular, times[-1]), times)


def _needed(
    plan: Windows, present: _Mask, times: Times, regular: Times
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(person, window) of each window that predicts a frame in which its person was seen.

    In a long clip with many persons most of them are absent most of the time.
    """
    last = len(regular) - 1
    # A frame of the source lies between two frames of the network's rate: look one further.
    before = regular[np.clip(plan.starts - 1, 0, last)]  # (W,) seconds
    after = regular[np.clip(plan.starts + plan.num_out, 0, last)]
    first, end = np.searchsorted(times, before, "left"), np.searchsorted(times, after, "right")
    seen = np.zeros((len(present), len(times) + 1), dtype=np.int64)
    np.cumsum(present, axis=1, out=seen[:, 1:])  # frames seen up to each
    person, window = np.nonzero(seen[:, end] > seen[:, first])
    return person, window


def describe(name: str, about: About, source: str) -> dict[str, Any]:
    """Where a motion comes from: the part of ``meta`` that all lifters share."""
    return {
        "model": name,
        "network": about.model,
        "weights_licence": about.licence,
        "acknowledgement": about.content.get("acknowledgement"),
        "source": source or None,
        "version": __version__,
        "network_fps": about.fps,
        "window": about.window,
        "normalisation": about.normalisation,
        "confidence": about.confidence,
        "target": about.target,
    }


def describe_layout(layout: str, variant: str | None) -> dict[str, Any]:
    """The joints that came in, and how they were converted."""
    return {"layout": layout, "conversion": variant or variants(layout)[0]}


def describe_camera(
    known_size: Size | None, size: Size, known_focal: float | None, focal: float
) -> dict[str, Any]:
    """The camera that was used, and what of it was assumed."""
    return {
        "image_size": list(size),
        "image_size_assumed": known_size is None,
        "focal_px": focal,
        "focal_assumed": known_focal is None,
    }


def _describe_gaps(gaps: GapReport, sides: SidesReport | None) -> dict[str, Any]:
    return {
        "summary": "; ".join(part for part in (str(gaps), str(sides or "")) if part),
        "sides_put_back_frames": None if sides is None else sides.frames.tolist(),
        "filled_joints": gaps.filled.sum(axis=1).tolist(),
        "longest_gap_frames": gaps.longest.max(axis=1).tolist(),
        "absent_frames": gaps.absent.sum(axis=1).tolist(),
        "never_seen": [list(names) for names in gaps.never_seen],
    }


def _chosen_windows(windows: WindowUse, about: About) -> str:
    """``blended``, ``centre``, ``tiled`` or ``newest``."""
    if windows not in get_args(WindowUse):
        raise UsageError(f"windows={windows!r}", f"one of {', '.join(get_args(WindowUse))}")
    if about.target == "newest":
        if windows in ("centre", "tiled"):
            raise UsageError(
                f"windows={windows!r}", "blended or published, for a network for the newest frame"
            )
        return "newest"
    if windows == "published":
        return "tiled" if about.num_out == about.window else "centre"
    return windows


def _checked_stride(stride: int | None, windows: str, about: About) -> int:
    if windows in ("centre", "tiled"):
        if stride is not None:
            raise UsageError(f"stride={stride!r} with windows={windows!r}", "one of the two")
        return about.num_out if windows == "tiled" else 1
    if stride is None:
        whole_window = about.num_out == about.window and about.target == "centre"
        return max(1, about.num_out // 3) if whole_window else 1
    whole = isinstance(stride, int) and not isinstance(stride, bool)
    if not whole or not 1 <= stride <= about.num_out:
        raise UsageError(
            f"stride={stride!r}", f"1 to {about.num_out}, the frames that a window predicts"
        )
    if about.target == "newest" and stride != 1:
        raise UsageError(f"stride={stride}", "1, for a network that predicts the newest frame")
    return stride
