"""The protocols of Human3.6M: ``h36m`` and ``h36m-motionbert``.

Both average by action: first over all frames of an action, whatever its subject, take and camera,
then over the actions, each with the same weight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from poselift.data.clips import PairedClip, Unit
from poselift.data.h36m import ACTIONS
from poselift.data.motionbert import ImageClip
from poselift.errors import DataError, UsageError
from poselift.evaluation import tables
from poselift.evaluation.lifting import FloatArray, Lift, Watched, predict_clip
from poselift.metrics.accumulate import PoseErrors
from poselift.skeleton import H36M_17

SKIPPED = ("s_09_act_05_subact_02", "s_09_act_10_subact_02", "s_09_act_13_subact_01")
"""Sequences that MotionBERT leaves out, since their 3D joints drift."""

AVERAGING = (
    "root-relative with the root as one of 17 joints; mean over joints, over all frames of an "
    "action, then over the actions alike; undefined poses counted, not averaged"
)


@dataclass(frozen=True, eq=False)
class ActionReport:
    """Errors by action.

    Args:
        protocol: its name.
        flip: whether predictions are means with those of the mirrored input.
        actions: errors of each action, in the order of the data set.
        about: what else was measured on: 2D source, subjects, ...
        how: how the clips were lifted, see `poselift.evaluation.lifting.Watched`.
    """

    protocol: str
    flip: bool
    actions: dict[str, PoseErrors]
    about: dict[str, Any]
    how: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The whole report as plain numbers and texts, errors in millimetres.

        ``average`` is the number that papers print. An error with nothing to average is ``None``.
        """
        actions = {name: tables.errors_mm(errors) for name, errors in self.actions.items()}
        return {
            "protocol": self.protocol,
            **self.about,
            "flip": self.flip,
            "lifting": self.how,
            "averaging": AVERAGING,
            "num_actions": f"{len(actions)} of {len(ACTIONS)}",
            "average": tables.unweighted_mean(list(actions.values())),
            "actions": actions,
        }

    def table(self) -> str:
        """The report as plain text: average, actions, joints; millimetres."""
        report = self.to_dict()
        average = report["average"]
        lines = [
            f"protocol {self.protocol}, {tables.flips(self.flip)}; millimetres",
            *(f"{key.replace('_', ' ')}: {_text(value)}" for key, value in self.about.items()),
            f"actions: {report['num_actions']}",
            tables.lifting(self.how),
            AVERAGING,
            "",
            tables.header("action"),
            *(tables.row(name, tables.cells(errors)) for name, errors in report["actions"].items()),
            tables.row("average", tables.cells(average)),
            "",
            tables.row("joint", ["average"]),
            *(
                tables.row(joint, [tables.number(average["per_joint_mm"][joint])])
                for joint in H36M_17.joints
            ),
        ]
        return tables.joined(lines)


def evaluate_h36m(
    lift: Lift,
    clips: Sequence[PairedClip],
    keypoints: str,
    flip: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> ActionReport:
    """Measure a lifter by the protocol ``h36m``, the rules of VideoPose3D.

    Every frame of every clip counts, edge frames included.

    Args:
        lift: gets one `Pose2D` of one person for each clip, in the size of its camera's image.
            For a published number ``partial(Lifter(..., windows="published").lift,
            repair=False)``.
        clips: as `poselift.data.h36m.read` gives them for S9 and S11.
        keypoints: which detections the clips hold, for the report.
        flip: average with the mirrored prediction of the mirrored input, as all published numbers.
        progress: called with (clips done, clips in all) after each clip.

    Raises:
        UsageError: no clip.
        DataError: clips in another unit than metres, or the lifter gives other frames or joints
            than it got.
    """
    for clip in clips:
        if clip.unit != "metres":
            raise DataError(f"{clip.name}: joints in {clip.unit}", "metres")
    about = {"keypoints": keypoints, "subjects": sorted({clip.subject for clip in clips})}
    watched = Watched(lift)
    actions = _by_action(
        clips, lambda clip: (predict_clip(watched, clip, flip), clip.joints), progress
    )
    return ActionReport("h36m", flip, actions, about, watched.how)


def evaluate_motionbert(
    lift: Lift,
    clips: Sequence[PairedClip],
    unit: Unit = "metres",
    flip: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> ActionReport:
    """Measure a lifter by the protocol ``h36m-motionbert``, the rules of MotionBERT.

    Three sequences are left out (`SKIPPED`). The truth is in image coordinates and a depth of the
    same scale, times the file's 2.5D factor, which makes them millimetres at the pelvis' depth; a
    prediction in half image widths is brought there by the same factor of its frame.

    Args:
        lift: as for `evaluate_h36m`.
        clips: as `poselift.data.motionbert.read` gives them of the test part.
        unit: of the lifter's joints.
        flip: average with the mirrored prediction of the mirrored input, as all published numbers.
        progress: called with (clips done, clips in all) after each clip.

    Raises:
        UsageError: no clip is left.
        DataError: clips that are not of that file, or the lifter gives other frames or joints
            than it got.
    """

    watched = Watched(lift)

    def pair(clip: PairedClip) -> tuple[FloatArray, FloatArray]:
        assert isinstance(clip, ImageClip)
        joints = predict_clip(watched, clip, flip)
        if unit == "half_widths":
            joints = joints * clip.metres_per_unit[:, None, None]
        return joints, clip.truth

    kept = []
    for clip in clips:
        if not isinstance(clip, ImageClip):
            raise DataError(f"{clip.name}: no 2.5D factor", "a clip of MotionBERT's test part")
        if clip.source not in SKIPPED:
            kept.append(clip)
    about = {
        "keypoints": "the file's",
        "subjects": sorted({clip.subject for clip in kept}),
        "predictions": "metres" if unit == "metres" else "half image widths x 2.5D factor",
        "clips_left_out": len(clips) - len(kept),
    }
    actions = _by_action(kept, pair, progress)
    return ActionReport("h36m-motionbert", flip, actions, about, watched.how)


def _by_action(
    clips: Sequence[PairedClip],
    pair: Callable[[PairedClip], tuple[FloatArray, FloatArray]],
    progress: Callable[[int, int], None] | None,
) -> dict[str, PoseErrors]:
    if not clips:
        raise UsageError("no clip to evaluate on", "at least one")
    names = [clip.action for clip in clips]
    known = [name for name in ACTIONS if name in names]
    actions = {name: PoseErrors() for name in dict.fromkeys([*known, *names])}
    for done, clip in enumerate(clips, start=1):
        predicted, truth = pair(clip)
        actions[clip.action].add(predicted, truth)
        if progress is not None:
            progress(done, len(clips))
    return actions


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
