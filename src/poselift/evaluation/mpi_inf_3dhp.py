"""The protocol of MPI-INF-3DHP's test set, ``3dhp``, as its MATLAB code computes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.data.clips import PairedClip
from poselift.data.mpi_inf_3dhp import FROM_H36M, TEST, TEST_FRAMES
from poselift.errors import DataError, UsageError
from poselift.evaluation import tables
from poselift.evaluation.lifting import Lift, Watched, predict_clip
from poselift.layouts import MPI_INF_3DHP_17
from poselift.metrics.accumulate import PoseErrors
from poselift.metrics.threshold import GROUPS, CorrectJoints

SCENES = {
    "green screen": ("TS1", "TS2"),
    "no green screen": ("TS3", "TS4"),
    "outdoor": ("TS5", "TS6"),
}

AVERAGING = (
    "root-relative, valid frames; PCK: share of 14 joints (not pelvis, spine, base of the skull) "
    "nearer than 150 mm; AUC: mean of the shares at 0, 5, ..., 150 mm; MPJPE over 17 joints with "
    "the root as one of them; sequences weighted by their frames"
)


@dataclass(frozen=True, eq=False)
class SequenceResult:
    """What was measured on one sequence, or on several together."""

    errors: PoseErrors
    correct: CorrectJoints

    @classmethod
    def empty(cls) -> SequenceResult:
        """Nothing yet."""
        return cls(PoseErrors(MPI_INF_3DHP_17), CorrectJoints())

    @classmethod
    def together(cls, parts: Sequence[SequenceResult]) -> SequenceResult:
        """Several sequences, each frame with the same weight."""
        out = cls(tables.merged((p.errors for p in parts), MPI_INF_3DHP_17), CorrectJoints())
        for part in parts:
            out.correct.merge(part.correct)
        return out

    def to_dict(self) -> dict[str, Any]:
        """Errors in millimetres, PCK and AUC in per cent."""
        return {
            "pck_percent": _percent(self.correct.pck()),
            "auc_percent": _percent(self.correct.auc()),
            **tables.errors_mm(self.errors),
            "pck_percent_by_group": {
                group: _percent(self.correct.pck(joints)) for group, joints in GROUPS.items()
            },
        }


@dataclass(frozen=True, eq=False)
class Report3DHP:
    """What `evaluate_3dhp` found.

    Args:
        flip: whether predictions are means with those of the mirrored input.
        sequences: what was measured on each.
        how: how the clips were lifted, see `poselift.evaluation.lifting.Watched`.
    """

    flip: bool
    sequences: dict[str, SequenceResult]
    how: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The whole report as plain numbers and texts.

        ``scenes`` has those of which every sequence was measured; ``official_frames`` says
        whether all six sequences have the data set's number of valid frames.
        """
        frames = {name: result.errors.frames for name, result in self.sequences.items()}
        return {
            "protocol": "3dhp",
            "keypoints": "the file's",
            "flip": self.flip,
            "lifting": self.how,
            "averaging": AVERAGING,
            "official_frames": frames == TEST_FRAMES,
            "all": SequenceResult.together(list(self.sequences.values())).to_dict(),
            "scenes": {
                scene: SequenceResult.together([self.sequences[n] for n in names]).to_dict()
                for scene, names in SCENES.items()
                if self.sequences.keys() >= set(names)
            },
            "sequences": {name: result.to_dict() for name, result in self.sequences.items()},
        }

    def table(self) -> str:
        """The report as plain text."""
        report = self.to_dict()
        groups = {"all": report["all"], **report["scenes"], **report["sequences"]}
        official = "the official ones" if report["official_frames"] else "NOT the official ones"
        lines = [
            f"protocol 3dhp, {tables.flips(self.flip)}; per cent and millimetres",
            f"keypoints: {report['keypoints']}",
            tables.lifting(self.how),
            AVERAGING,
            f"sequences {', '.join(self.sequences)}; valid frames: {official}",
            "",
            tables.row("", ["PCK", "AUC", "MPJPE", "poses"]),
        ]
        for name, group in groups.items():
            numbers = [tables.number(group[key]) for key in ("pck_percent", "auc_percent", "p1_mm")]
            lines.append(tables.row(name, [*numbers, str(group["poses"])]))
        lines += ["", tables.row("PCK", ["all"])]
        lines += [
            tables.row(group, [tables.number(share)])
            for group, share in report["all"]["pck_percent_by_group"].items()
        ]
        lines += [
            "",
            tables.header(),
            *(tables.row(name, tables.cells(group)) for name, group in groups.items()),
        ]
        lines += ["", tables.row("joint", ["all"])]
        lines += [
            tables.row(joint, [tables.number(error)])
            for joint, error in report["all"]["per_joint_mm"].items()
        ]
        return tables.joined(lines)


def evaluate_3dhp(
    lift: Lift,
    clips: Sequence[PairedClip],
    flip: bool = False,
    fps: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report3DHP:
    """Measure a lifter by the protocol ``3dhp``.

    The lifter sees every frame of a clip; those that are valid are measured. Velocities and
    accelerations are those between valid frames that follow each other.

    Args:
        lift: gets one `Pose2D` of one person for each clip.
        clips: as `poselift.data.mpi_inf_3dhp.read_test` gives them.
        flip: average with the mirrored prediction of the mirrored input.
        fps: frames per second that the lifter is told; the file does not say them, and the field
            reads its windows frame by frame: give the network's own, so that nothing is
            resampled.
        progress: called with (clips done, clips in all) after each clip.

    Raises:
        UsageError: no clip.
        DataError: a clip that is no test sequence, one that comes twice or has no valid frame, or
            the lifter gives other frames or joints than it got.
    """
    if not clips:
        raise UsageError("no clip to evaluate on", "at least one")
    watched = Watched(lift)
    sequences: dict[str, SequenceResult] = {}
    for done, clip in enumerate(sorted(clips, key=lambda clip: clip.name), start=1):
        if clip.name not in TEST or clip.name in sequences:
            raise DataError(f"clip {clip.name!r}", f"each of {', '.join(TEST)} once")
        predicted = predict_clip(watched, clip, flip, fps)[:, FROM_H36M]
        truth = clip.joints[:, FROM_H36M]
        result = sequences[clip.name] = SequenceResult.empty()
        for frames in _stretches(clip.valid, clip.num_frames):
            result.errors.add(predicted[frames], truth[frames])
            result.correct.add(predicted[frames], truth[frames])
        if not result.errors.frames:
            raise DataError(f"clip {clip.name}: no valid frame", "at least one")
        if progress is not None:
            progress(done, len(clips))
    return Report3DHP(flip, sequences, watched.how)


def _stretches(valid: npt.NDArray[np.bool_] | None, frames: int) -> list[slice]:
    """The stretches of valid frames."""
    mask = np.ones(frames, dtype=np.bool_) if valid is None else valid
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [slice(a, b) for a, b in edges.reshape(-1, 2).tolist()]


def _percent(share: float) -> float | None:
    return None if np.isnan(share) else round(100 * share, 6)
