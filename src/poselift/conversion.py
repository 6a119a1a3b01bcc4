"""Conversion of 2D joints from any layout to the 17 joints of Human3.6M, by joint name.

Hips, knees, ankles, shoulders, elbows and wrists are taken as they are. What differs is the
middle line. The networks shipped here were trained on motion capture whose joints are

- ``spine``: 0.45 of the way from the middle of the hips to the middle of the shoulders,
- ``thorax``: base of the neck, 4 cm above the middle of the shoulders,
- ``neck``: base of the skull, 14 cm above it, and
- ``head``: end of the head bone, 23 cm above it, about 8 cm below the crown,

so the default conversion, ``anatomical``, puts the derived joints there. A "neck" at the nose
and a "head" at the eyes, the habit of the field, lie 18 and 16 cm from these points, mostly in
front of them, and make every lifted person crane the neck. The other conversions are for
networks that were trained with them.

BlazePose (``mediapipe-33``) is another matter: its trunk is too long for its legs, which a
network explains by bent knees and a person who leans back. Its hips lie low, its knees low and
its ankles high, so that ``anatomical`` moves them for this layout (see ``_blazepose``), and
``detected`` is the same without.

=============  ==============================================  ===================================
variant        layouts                                         neck, head
=============  ==============================================  ===================================
anatomical     all with nose, ears, shoulders and hips; mpi-15  skull from ears and nose (see below)
detected       mediapipe-33                                    the same
mmpose         the same (not mpi-15)                           nose, middle of the eyes
mhformer       the same (not mpi-15)                           corrections of MHFormer and GAST-Net
motionbert     halpe-26, halpe-68, halpe-136                   nose, crown
direct         h36m-17, h36m-32, mpi-inf-3dhp-17 and -28       as the layout has them
=============  ==============================================  ===================================

A derived joint is as sure as its least sure source, and absent if a source is absent. A moved
joint is as sure as it was, and stays where what moves it is absent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from poselift.errors import UsageError
from poselift.layouts import LAYOUTS, MEDIAPIPE_33
from poselift.poses import FloatArray, Pose2D
from poselift.skeleton import H36M_17

__all__ = ["to_h36m", "variants"]


@dataclass(frozen=True)
class _Point:
    """One joint over persons and frames: xy (P, T, 2) pixels, NaN where absent; score (P, T)."""

    xy: FloatArray
    score: FloatArray

    def toward(self, other: _Point, fraction: float) -> _Point:
        """The point at ``fraction`` of the way to ``other``: outside 0..1 it lies beyond."""
        xy = self.xy + np.float32(fraction) * (other.xy - self.xy)
        return _Point(xy, np.minimum(self.score, other.score))

    def moved(self, step: FloatArray) -> _Point:
        """The point moved by (P, T, 2) pixels; it stays where the step is not known."""
        return _Point(self.xy + np.nan_to_num(step), self.score)

    def or_else(self, other: _Point) -> _Point:
        """This point, or ``other`` where this one is absent."""
        here = ~np.isnan(self.xy[..., 0])
        return _Point(
            np.where(here[..., None], self.xy, other.xy), np.where(here, self.score, other.score)
        )


_Joints = dict[str, _Point]


def _mid(a: _Point, b: _Point) -> _Point:
    return a.toward(b, 0.5)


def _with_middle(joints: _Joints) -> tuple[_Point, _Point]:
    """Middle of the hips and middle of the shoulders.

    Also where a layout has a pelvis or neck of its own: a detector's middle joints are
    less exact than its hips and shoulders.
    """
    return (
        _mid(joints["left_hip"], joints["right_hip"]),
        _mid(joints["left_shoulder"], joints["right_shoulder"]),
    )


# Places in the training data, as fractions measured on the subjects' own skeletons (medians in
# the frame of the trunk). Trunk: middle of hips to middle of shoulders, 0.505 m.
_SPINE = 0.45  # of the trunk; the capture skeletons lie between 0.41 and 0.5
_THORAX = 1.085  # of the trunk: 4.3 cm above the shoulders
# Middle of the skull, seen from the shoulders. The ears lie 5 cm in front of the shoulders and
# the skull joints 1 cm behind to 2 cm in front: a step away from the nose corrects that.
_BEHIND_EARS = -0.25  # of the way from the ears to the nose
_NECK = 0.83  # of the way from the shoulders to that point
_HEAD = 1.43
_HEAD_BELOW_CROWN = 0.54  # of the way from the base of the skull to the crown


def _anatomical(joints: _Joints) -> _Joints:
    pelvis, shoulders = _with_middle(joints)
    middle = {
        "pelvis": pelvis,
        "spine": pelvis.toward(shoulders, _SPINE),
        "thorax": pelvis.toward(shoulders, _THORAX),
    }
    if "left_ear" not in joints:  # mpi-15 has the base of the skull and the crown
        neck = joints["neck"]
        return middle | {"neck": neck, "head": neck.toward(joints["head_top"], _HEAD_BELOW_CROWN)}
    left, right = joints["left_ear"], joints["right_ear"]
    # Detectors leave out what they cannot see: seen from the side the two ears coincide, and
    # from behind nose and ears do, so the ones that are seen will do.
    ears = _mid(left, right).or_else(left).or_else(right)
    skull = ears.toward(joints["nose"], _BEHIND_EARS).or_else(ears)
    neck, head = shoulders.toward(skull, _NECK), shoulders.toward(skull, _HEAD)
    return middle | {"neck": neck, "head": head}


# From BlazePose's hips, knees and ankles to those of the training data. The straight legs of two
# people in a video measure 0.71 (thigh) and 0.72 (shank) of the trunk; the subjects' skeletons
# have 0.77 and 0.90, tables of stature (Drillis and Contini 1966) 0.85 each. These are the
# smallest shifts (sum of squares) that bring the former to the proportions of the skeletons:
# ``benchmarks/blazepose_proportions.py``.
_HIP_UP = 0.06  # of the trunk, from the hips to the shoulders
_KNEE_UP = 0.08  # of the thigh
_ANKLE_DOWN = 0.6  # of the way to the heel


def _blazepose(joints: _Joints) -> _Joints:
    pelvis, shoulders = _with_middle(joints)
    moved: _Joints = {}
    for side in ("left", "right"):
        hip, knee, ankle, heel = (
            joints[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "heel")
        )
        moved |= {
            f"{side}_hip": hip.moved(_HIP_UP * (shoulders.xy - pelvis.xy)),
            f"{side}_knee": knee.moved(_KNEE_UP * (hip.xy - knee.xy)),
            f"{side}_ankle": ankle.moved(_ANKLE_DOWN * (heel.xy - ankle.xy)),
        }
    return moved | _anatomical(joints | moved)


def _mmpose(joints: _Joints) -> _Joints:
    pelvis, shoulders = _with_middle(joints)
    return {
        "pelvis": pelvis,
        "spine": _mid(pelvis, shoulders),
        "thorax": shoulders,
        "neck": joints["nose"],
        "head": _mid(joints["left_eye"], joints["right_eye"]),
    }


def _mhformer(joints: _Joints) -> _Joints:
    """As GAST-Net and after it MHFormer do it, x and y apart."""
    pelvis, shoulders = _with_middle(joints)
    nose = joints["nose"]
    eyes = _mid(joints["left_eye"], joints["right_eye"])
    face = _mid(eyes, _mid(joints["left_ear"], joints["right_ear"]))
    thorax = shoulders.toward(nose, 1 / 3)
    spine = _mid(pelvis, shoulders)
    spine_x = spine.xy[..., 0] + 2 * (spine.xy[..., 0] - _mid(pelvis, thorax).xy[..., 0])
    lift = 2 / 3 * (eyes.xy[..., 1] - nose.xy[..., 1])
    above = 2 * eyes.xy[..., 1] - nose.xy[..., 1]
    return {
        "pelvis": pelvis,
        "spine": _at(spine_x, spine.xy[..., 1], spine, nose),
        "thorax": _at(thorax.xy[..., 0], thorax.xy[..., 1] - lift, thorax, eyes),
        "neck": nose.toward(shoulders, 1 / 4),
        "head": _at(face.xy[..., 0], above, face, nose),
    }


def _at(x: FloatArray, y: FloatArray, *sources: _Point) -> _Point:
    """A point of its own coordinates, as sure as its least sure source; absent with any of them."""
    xy = np.stack([x, y], axis=-1)
    return _Point(xy, np.minimum.reduce([source.score for source in sources]))


def _motionbert(joints: _Joints) -> _Joints:
    pelvis, thorax = joints["pelvis"], joints["thorax"]
    return {
        "pelvis": pelvis,
        "spine": _mid(pelvis, thorax),
        "thorax": thorax,
        "neck": joints["nose"],
        "head": joints["head_top"],
    }


def _direct(joints: _Joints) -> _Joints:
    # MPI-INF-3DHP ends at the crown; everyone who trains on both takes it for the head.
    return {"head": joints["head"] if "head" in joints else joints["head_top"]}


def _conversions(layout: str) -> dict[str, Callable[[_Joints], _Joints]]:
    """What this layout can be converted by, the default first."""
    joints = set(LAYOUTS[layout].joints if layout in LAYOUTS else ())
    if {"pelvis", "spine", "thorax", "neck"} <= joints:
        return {"direct": _direct}
    if "left_ear" not in joints:
        return {"anatomical": _anatomical} if "neck" in joints else {}
    out: dict[str, Callable[[_Joints], _Joints]] = {"anatomical": _anatomical}
    if layout == MEDIAPIPE_33.name:
        out = {"anatomical": _blazepose, "detected": _anatomical}
    out |= {"mmpose": _mmpose, "mhformer": _mhformer}
    if {"head_top", "pelvis", "thorax"} <= joints:
        out["motionbert"] = _motionbert
    return out


def variants(layout: str) -> tuple[str, ...]:
    """Names of the conversions from ``layout`` to ``h36m-17``, the default first.

    >>> variants("coco-17")
    ('anatomical', 'mmpose', 'mhformer')
    """
    return tuple(_conversions(layout))


def to_h36m(pose: Pose2D, variant: str | None = None) -> Pose2D:
    """The 17 joints of Human3.6M from any layout.

    Args:
        pose: 2D joints in any layout of ``poselift.layouts``.
        variant: how the middle line is derived, see the head of this module; ``None`` is the
            layout's default.

    Returns:
        The pose in ``h36m-17``, all else kept. A joint whose source is absent is NaN with score 0.

    Raises:
        UsageError: a variant that this layout does not have, or a skeleton of the caller's own.
    """
    layout = pose.skeleton.name
    known = _conversions(layout) if LAYOUTS.get(layout) == pose.skeleton else {}
    if not known:
        raise UsageError(
            f"no conversion from layout {layout} to {H36M_17.name}",
            f"one of {', '.join(LAYOUTS)}",
        )
    if variant is None:
        variant = next(iter(known))
    if variant not in known:
        raise UsageError(
            f"unknown conversion {variant!r} from {layout} to {H36M_17.name}",
            f"one of {', '.join(known)}",
        )
    if pose.skeleton == H36M_17:
        return pose
    joints = {
        joint: _Point(pose.keypoints[:, :, n], pose.scores[:, :, n])
        for n, joint in enumerate(pose.skeleton.joints)
    }
    joints |= known[variant](joints)
    return replace(
        pose,
        keypoints=np.stack([joints[joint].xy for joint in H36M_17.joints], axis=2),
        scores=np.stack([joints[joint].score for joint in H36M_17.joints], axis=2),
        skeleton=H36M_17,
    )
