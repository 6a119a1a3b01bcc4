"""The open benchmark: protocol ``mocap``.

Motion capture seen by four virtual cameras, exact (``gt``) or with the errors of a detector
(``detector``). Cameras and noise depend on the sequence and its name only, so that everybody
measures on the same input.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.data.mocap import Motion
from poselift.errors import DataError, UsageError
from poselift.evaluation import tables
from poselift.evaluation.lifting import Lift, Watched, predict
from poselift.geometry.camera import Camera, look_at_rotation, project
from poselift.metrics.accumulate import PoseErrors
from poselift.skeleton import END_JOINTS, H36M_17

FloatArray = npt.NDArray[np.floating[Any]]

AZIMUTHS = (45.0, 135.0, 225.0, 315.0)
"""Degrees around the person, from the world's x axis; one camera each."""

NOISES = ("gt", "detector")

IMAGE_SIZE = (1000, 1000)
FOCAL = 1145.0
CAMERA_HEIGHT = 1.5
MARGIN = 50.0
NEAREST = 4.5
DISTANCE_STEP = 0.25
MIN_DEPTH = 1.0

_BLOCK = 8  # distances tried at once
_MAX_DISTANCE = 1000.0


def cameras(motion: Motion) -> list[Camera]:
    """The four cameras of a sequence.

    Camera k stands at ``AZIMUTHS[k]`` around the mean of the pelvis, 1.5 m above the floor, and
    looks at that mean without roll. Each camera has its own distance: the smallest of 4.5,
    4.75, 5.0, ... metres at which, in every frame, every joint is more than 1 m in front of it and
    strictly inside 50...950 pixels.

    Raises:
        DataError: no distance below 1 km is enough.
    """
    joints = motion.joints.astype(np.float64)
    target = joints[:, H36M_17.index("pelvis")].mean(axis=0)
    return [_camera(motion.name, joints, target, azimuth) for azimuth in AZIMUTHS]


def _camera(name: str, joints: FloatArray, target: FloatArray, azimuth: float) -> Camera:
    centre = np.array(IMAGE_SIZE) / 2
    heading = np.array([np.cos(np.radians(azimuth)), np.sin(np.radians(azimuth))])
    for first in range(0, int((_MAX_DISTANCE - NEAREST) / DISTANCE_STEP), _BLOCK):
        distances = NEAREST + DISTANCE_STEP * np.arange(first, first + _BLOCK)
        positions = np.empty((_BLOCK, 3))
        positions[:, :2] = target[:2] + distances[:, None] * heading
        positions[:, 2] = CAMERA_HEIGHT
        rotations = look_at_rotation(positions, target)
        # (D, T J, 3): one product with the transposed rotation for each distance
        points = (joints.reshape(1, -1, 3) - positions[:, None]) @ rotations.swapaxes(-1, -2)
        pixels = project(points, FOCAL, centre)
        low, high = MARGIN, np.array(IMAGE_SIZE) - MARGIN
        good = (points[..., 2] > MIN_DEPTH) & ((pixels > low) & (pixels < high)).all(axis=-1)
        fits = np.flatnonzero(good.all(axis=-1))
        if len(fits):
            d = fits[0]
            width, height = IMAGE_SIZE
            return Camera(
                rotations[d], positions[d], np.full(2, FOCAL), centre, width=width, height=height
            )
    raise DataError(f"motion {name}: does not fit into the image from {_MAX_DISTANCE:g} m")


def camera_joints(motion: Motion) -> FloatArray:
    """(4, T, 17, 3) joints in the frame of each of the four cameras, metres, absolute."""
    return _views(motion)[1]


def project_views(motion: Motion) -> FloatArray:
    """(4, T, 17, 2) exact pixels of a sequence in its four cameras: input ``gt``."""
    return _views(motion)[0]


def detector_noise(name: str, k: int, u: FloatArray) -> FloatArray:
    """Exact pixels as a detector might see them: input ``detector``.

    Gaussian errors of 1.2 % of the person's height in the image (1.8 % for wrists and ankles),
    and outliers of 8 % in 2 % of the joints. The random numbers depend on ``name`` and ``k`` only.

    Args:
        name: of the sequence.
        k: number of the camera, 0...3.
        u: (T, 17, 2) exact pixels.

    Returns:
        (T, 17, 2) pixels.
    """
    height = np.ptp(u[..., 1], axis=1)[:, None, None]  # (T, 1, 1)
    sigma = np.full((len(H36M_17), 1), 0.012)
    sigma[list(H36M_17.indices(END_JOINTS))] = 0.018
    rng = np.random.default_rng(zlib.crc32(f"{name}/{k}".encode()))
    # The order of these draws is part of the protocol.
    n = rng.normal(size=u.shape)
    outlier = rng.random(size=u.shape[:2]) < 0.02
    m = rng.normal(size=u.shape)
    noisy: FloatArray = u + n * sigma * height + m * 0.08 * height * outlier[..., None]
    return noisy


AVERAGING = (
    "root-relative with the root as one of 17 joints; mean over joints, then over all frames of "
    "all sequences and cameras alike; undefined poses counted, not averaged"
)


@dataclass(frozen=True, eq=False)
class SequenceErrors:
    """Errors of one sequence, one gathering for each camera."""

    motion: Motion
    cameras: tuple[PoseErrors, ...]


@dataclass(frozen=True, eq=False)
class Report:
    """What `evaluate` found.

    Args:
        noise: ``gt`` or ``detector``.
        flip: whether predictions are means with those of the mirrored input.
        sequences: errors of each sequence.
        how: how they were lifted, see `poselift.evaluation.lifting.Watched`.
    """

    noise: str
    flip: bool
    sequences: tuple[SequenceErrors, ...]
    how: dict[str, Any]

    def errors(self, skeleton: str | None = None, camera: int | None = None) -> PoseErrors:
        """Errors over all sequences, in metres.

        Args:
            skeleton: only sequences with these bones, such as ``"subject"``.
            camera: only this camera, 0...3.
        """
        gathered = PoseErrors()
        for sequence in self.sequences:
            if skeleton is None or sequence.motion.skeleton == skeleton:
                for k, errors in enumerate(sequence.cameras):
                    if camera is None or camera == k:
                        gathered.merge(errors)
        return gathered

    def to_dict(self) -> dict[str, Any]:
        """The whole report as plain numbers and texts, errors in millimetres.

        ``all`` covers every sequence, ``subject`` those with the person's own bones (``None`` if
        there is none). An error with nothing to average is ``None``.
        """
        return {
            "protocol": "mocap",
            "noise": self.noise,
            "flip": self.flip,
            "lifting": self.how,
            "averaging": AVERAGING,
            "all": self._group(None),
            "subject": self._group("subject"),
            "sequences": [
                {
                    "name": s.motion.name,
                    "subject": s.motion.subject,
                    "skeleton": s.motion.skeleton,
                    "description": s.motion.description,
                    **tables.errors_mm(tables.merged(s.cameras)),
                    "cameras": [tables.errors_mm(errors) for errors in s.cameras],
                }
                for s in self.sequences
            ],
        }

    def to_json(self) -> str:
        """`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)

    def table(self) -> str:
        """The report as plain text: totals, cameras, joints, sequences; millimetres."""
        report = self.to_dict()
        groups = {name: report[name] for name in ("all", "subject") if report[name]}
        lines = [
            f"protocol mocap, noise {self.noise}, {tables.flips(self.flip)}; millimetres",
            tables.lifting(self.how),
            AVERAGING,
            "",
            tables.header(),
        ]
        for name, group in groups.items():
            lines.append(tables.row(name, tables.cells(group)))
            lines += [
                tables.row(f"  camera {k}", tables.cells(c)) for k, c in enumerate(group["cameras"])
            ]
        lines += ["", tables.row("joint", list(groups))]
        lines += [
            tables.row(
                joint, [tables.number(group["per_joint_mm"][joint]) for group in groups.values()]
            )
            for joint in H36M_17.joints
        ]
        lines += ["", tables.header("sequence")]
        lines += [tables.row(s["name"], tables.cells(s)) for s in report["sequences"]]
        return tables.joined(lines)

    def _group(self, skeleton: str | None) -> dict[str, Any] | None:
        chosen = [s for s in self.sequences if skeleton in (None, s.motion.skeleton)]
        if not chosen:
            return None
        return {
            "sequences": len(chosen),
            **tables.errors_mm(self.errors(skeleton)),
            "cameras": [
                {"azimuth_degrees": azimuth, **tables.errors_mm(self.errors(skeleton, camera))}
                for camera, azimuth in enumerate(AZIMUTHS)
            ],
        }


def evaluate(
    lift: Lift,
    motions: Sequence[Motion],
    noise: str = "gt",
    flip: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Measure a lifter by the protocol ``mocap``.

    Args:
        lift: gets one `Pose2D` for each sequence, whose four persons are the four views of it
            (scores 1, 1000 x 1000 pixels), and gives a `Pose3D` of the same persons and frames.
        motions: sequences, such as `poselift.data.mocap.read_motions` gives.
        noise: ``"gt"`` for exact projections, ``"detector"`` for those of `detector_noise`.
        flip: average with the mirrored prediction of the mirrored input (one more call each).
        progress: called with (sequences done, sequences in all) after each sequence.

    Raises:
        UsageError: unknown noise, or no motion.
        DataError: the lifter gives other persons, frames or joints than it got.
    """
    if noise not in NOISES:
        raise UsageError(f"noise {noise!r}", f"one of {', '.join(NOISES)}")
    if not motions:
        raise UsageError("no motion to evaluate on", "at least one sequence")
    watched = Watched(lift)
    sequences = []
    for done, motion in enumerate(motions, start=1):
        views, truth = _views(motion)
        if noise == "detector":
            views = np.stack([detector_noise(motion.name, k, u) for k, u in enumerate(views)])
        predicted = predict(
            watched, views, fps=motion.fps, image_size=IMAGE_SIZE, source=motion.name, flip=flip
        )
        gathered = tuple(PoseErrors() for _ in AZIMUTHS)
        for errors, pose, target in zip(gathered, predicted, truth, strict=True):
            errors.add(pose, target)
        sequences.append(SequenceErrors(motion, gathered))
        if progress is not None:
            progress(done, len(motions))
    return Report(noise, flip, tuple(sequences), watched.how)


def _views(motion: Motion) -> tuple[FloatArray, FloatArray]:
    """Exact pixels (4, T, 17, 2) and joints in the camera frames (4, T, 17, 3)."""
    joints = motion.joints.astype(np.float64)
    views = cameras(motion)
    truth = np.stack([camera.world_to_camera(joints) for camera in views])
    return np.stack([c.project(j) for c, j in zip(views, truth, strict=True)]), truth
