"""The joint layouts of the field, by joint name.

The same name means the same point of the body in every layout, so conversions, flips and
drawing go by name. Four names near the neck need care, because the field uses "neck" and
"head" for different points:

- ``thorax``: base of the neck (Human3.6M 8; "neck" of OpenPose, Halpe and MPI-INF-3DHP; OpenPose
  puts it midway between the shoulders, about 4 cm lower);
- ``neck``: base of the skull (Human3.6M 9, MPII "upper neck", "head" of MPI-INF-3DHP);
- ``head``: end of the head bone, about 8 cm below the crown (Human3.6M 10);
- ``head_top``: the crown.

A layout's mirror pairs follow from its ``left_`` and ``right_`` names.
"""

from __future__ import annotations

import difflib

from poselift.errors import UsageError
from poselift.skeleton import H36M_17, Skeleton

__all__ = [
    "BODY_25",
    "COCO_17",
    "COCO_18",
    "COCO_WHOLEBODY_133",
    "H36M_17",
    "H36M_32",
    "HALPE_26",
    "HALPE_68",
    "HALPE_136",
    "LAYOUTS",
    "MEDIAPIPE_33",
    "MPI_15",
    "MPI_INF_3DHP_17",
    "MPI_INF_3DHP_28",
    "get_layout",
]

_LIMB_PARENTS = {
    f"{side}_{child}": f"{side}_{parent}"
    for side in ("left", "right")
    for child, parent in (
        ("knee", "hip"),
        ("ankle", "knee"),
        ("heel", "ankle"),
        ("big_toe", "ankle"),
        ("small_toe", "ankle"),
        ("foot_index", "ankle"),
        ("elbow", "shoulder"),
        ("wrist", "elbow"),
        ("hand_root", "wrist"),
        ("ear", "eye"),
    )
}


def _sides(*parts: str) -> tuple[str, ...]:
    """``left_x, right_x`` for each part in turn."""
    return tuple(f"{side}_{part}" for part in parts for side in ("left", "right"))


def _tree(joints: tuple[str, ...], **more: str) -> dict[str, str]:
    """The limb bones that both ends exist for, and ``more`` bones child=parent."""
    bones = _LIMB_PARENTS | more
    return {c: p for c, p in bones.items() if c in joints and p in joints}


def _face() -> tuple[str, ...]:
    """The 68 face points of iBUG: ``face_N`` on the middle line, ``right_face_N`` and its mirror.

    N is the number of the point on the person's right in both of a pair.
    """
    mirror = {n: 16 - n for n in range(8)}  # contour of the face, from the right ear
    mirror |= {17 + n: 26 - n for n in range(5)}  # brows
    mirror |= {31: 35, 32: 34}  # nostrils
    mirror |= {36: 45, 37: 44, 38: 43, 39: 42, 40: 47, 41: 46}  # eyes
    mirror |= {48: 54, 49: 53, 50: 52, 59: 55, 58: 56, 60: 64, 61: 63, 67: 65}  # lips
    names = [f"face_{n}" for n in range(68)]
    for right, left in mirror.items():
        names[right], names[left] = f"right_face_{right}", f"left_face_{right}"
    return tuple(names)


def _hand(side: str) -> tuple[str, ...]:
    """The 21 points of a hand: its root, then four for each finger from the palm outwards."""
    fingers = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
    tips = tuple(f"{side}_{finger}{n}" for finger in fingers for n in range(1, 5))
    return (f"{side}_hand_root", *tips)


def _hand_parents(side: str) -> dict[str, str]:
    names = _hand(side)
    root = names[0]
    return {name: root if name.endswith("1") else names[n] for n, name in enumerate(names[1:])}


_FACE = _face()
_HANDS = _hand("left") + _hand("right")
_HAND_PARENTS = _hand_parents("left") | _hand_parents("right")

_COCO_JOINTS = ("nose", *_sides("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"))
_COCO_BONES = {
    "left_eye": "nose",
    "right_eye": "nose",
    "right_shoulder": "left_shoulder",
    "left_hip": "left_shoulder",
    "right_hip": "right_shoulder",
}
COCO_17 = Skeleton("coco-17", _COCO_JOINTS, _tree(_COCO_JOINTS, **_COCO_BONES))
"""COCO persons: what most detectors give. A set of points rather than a tree with a root."""

_WHOLEBODY_JOINTS = (
    *_COCO_JOINTS,
    *(f"{side}_{toe}" for side in ("left", "right") for toe in ("big_toe", "small_toe", "heel")),
    *_FACE,
    *_HANDS,
)
COCO_WHOLEBODY_133 = Skeleton(
    "coco-wholebody-133",
    _WHOLEBODY_JOINTS,
    _tree(_WHOLEBODY_JOINTS, **_COCO_BONES, **_HAND_PARENTS),
)
"""COCO-WholeBody: body 17, feet 6, face 68, hands 42."""

_HALPE_BONES = {
    "nose": "thorax",
    "left_eye": "nose",
    "right_eye": "nose",
    "head_top": "thorax",
    "thorax": "pelvis",
    "left_shoulder": "thorax",
    "right_shoulder": "thorax",
    "left_hip": "pelvis",
    "right_hip": "pelvis",
}
_HALPE_JOINTS = (
    *_COCO_JOINTS,
    "head_top",
    "thorax",
    "pelvis",
    *_sides("big_toe", "small_toe", "heel"),
)
HALPE_26 = Skeleton("halpe-26", _HALPE_JOINTS, _tree(_HALPE_JOINTS, **_HALPE_BONES), "pelvis")
"""Halpe: COCO, then crown, neck, hip and feet. What RTMPose and rtmlib call body with feet."""

HALPE_68 = Skeleton(
    "halpe-68",
    (*_HALPE_JOINTS, *_HANDS),
    _tree((*_HALPE_JOINTS, *_HANDS), **_HALPE_BONES, **_HAND_PARENTS),
    "pelvis",
)
"""Halpe with hands, without face (AlphaPose)."""

HALPE_136 = Skeleton(
    "halpe-136",
    (*_HALPE_JOINTS, *_FACE, *_HANDS),
    _tree((*_HALPE_JOINTS, *_FACE, *_HANDS), **_HALPE_BONES, **_HAND_PARENTS),
    "pelvis",
)
"""Halpe with face and hands (AlphaPose)."""

_OPENPOSE_ARMS = (
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
)
_OPENPOSE_LEGS = ("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle")
_OPENPOSE_FACE = ("right_eye", "left_eye", "right_ear", "left_ear")
_SHOULDERS_AND_FACE = {
    "nose": "thorax",
    "left_eye": "nose",
    "right_eye": "nose",
    "left_shoulder": "thorax",
    "right_shoulder": "thorax",
}

_BODY_25_JOINTS = (
    "nose",
    "thorax",
    *_OPENPOSE_ARMS,
    "pelvis",
    *_OPENPOSE_LEGS,
    *_OPENPOSE_FACE,
    *(f"{side}_{toe}" for side in ("left", "right") for toe in ("big_toe", "small_toe", "heel")),
)
BODY_25 = Skeleton(
    "body-25",
    _BODY_25_JOINTS,
    _tree(
        _BODY_25_JOINTS,
        thorax="pelvis",
        left_hip="pelvis",
        right_hip="pelvis",
        **_SHOULDERS_AND_FACE,
    ),
    "pelvis",
)
"""OpenPose BODY_25, its default model."""

_COCO_18_JOINTS = ("nose", "thorax", *_OPENPOSE_ARMS, *_OPENPOSE_LEGS, *_OPENPOSE_FACE)
COCO_18 = Skeleton(
    "coco-18",
    _COCO_18_JOINTS,
    _tree(_COCO_18_JOINTS, left_hip="thorax", right_hip="thorax", **_SHOULDERS_AND_FACE),
    "thorax",
)
"""OpenPose COCO: 17 COCO joints in another order, and the neck."""

_MPI_15_JOINTS = ("head_top", "neck", *_OPENPOSE_ARMS, *_OPENPOSE_LEGS, "chest")
MPI_15 = Skeleton(
    "mpi-15",
    _MPI_15_JOINTS,
    _tree(
        _MPI_15_JOINTS,
        neck="chest",
        head_top="neck",
        left_shoulder="neck",
        right_shoulder="neck",
        left_hip="chest",
        right_hip="chest",
    ),
    "chest",
)
"""OpenPose MPI."""

_MEDIAPIPE_JOINTS = (
    "nose",
    *(f"{side}_eye{end}" for side in ("left", "right") for end in ("_inner", "", "_outer")),
    *_sides("ear", "mouth", "shoulder", "elbow", "wrist", "pinky", "index", "thumb"),
    *_sides("hip", "knee", "ankle", "heel", "foot_index"),
)
MEDIAPIPE_33 = Skeleton(
    "mediapipe-33",
    _MEDIAPIPE_JOINTS,
    _tree(
        _MEDIAPIPE_JOINTS,
        right_shoulder="left_shoulder",
        left_hip="left_shoulder",
        right_hip="right_shoulder",
        **{
            f"{side}_{child}": parent.format(side)
            for side in ("left", "right")
            for child, parent in (
                ("eye_inner", "nose"),
                ("eye", "{}_eye_inner"),
                ("eye_outer", "{}_eye"),
                ("ear", "{}_eye_outer"),
                ("pinky", "{}_wrist"),
                ("index", "{}_wrist"),
                ("thumb", "{}_wrist"),
            )
        },
    ),
)
"""MediaPipe Pose (BlazePose)."""

_LEG_32 = ("hip", "knee", "ankle", "toe_base", "toe")
_ARM_32 = ("collar", "shoulder", "elbow", "wrist", "thumb", "thumb_end", "hand", "hand_end")
_H36M_32_JOINTS = (
    "pelvis",
    *(f"right_{part}" for part in _LEG_32),
    *(f"left_{part}" for part in _LEG_32),
    "spine_base",  # at the pelvis
    "spine",
    "thorax",
    "neck",
    "head",
    *(f"left_{part}" for part in _ARM_32),
    *(f"right_{part}" for part in _ARM_32),
)
H36M_32 = Skeleton(
    "h36m-32",
    _H36M_32_JOINTS,
    _tree(
        _H36M_32_JOINTS,
        spine_base="pelvis",
        spine="spine_base",
        thorax="spine",
        neck="thorax",
        head="neck",
        **{
            f"{side}_{child}": parent.format(side)
            for side in ("left", "right")
            for child, parent in (
                ("hip", "pelvis"),
                ("toe_base", "{}_ankle"),
                ("toe", "{}_toe_base"),
                ("collar", "spine"),
                ("shoulder", "{}_collar"),
                ("thumb", "{}_wrist"),
                ("thumb_end", "{}_thumb"),
                ("hand", "{}_wrist"),
                ("hand_end", "{}_hand"),
            )
        },
    ),
    "pelvis",
)
"""Human3.6M with all 32 joints; some lie on others and carry no information."""

_3DHP_17_JOINTS = (
    "head_top",
    "thorax",
    *_OPENPOSE_ARMS,
    *_OPENPOSE_LEGS,
    "pelvis",
    "spine",
    "neck",
)
MPI_INF_3DHP_17 = Skeleton(
    "mpi-inf-3dhp-17",
    _3DHP_17_JOINTS,
    _tree(
        _3DHP_17_JOINTS,
        spine="pelvis",
        thorax="spine",
        neck="thorax",
        head_top="neck",
        left_shoulder="thorax",
        right_shoulder="thorax",
        left_hip="pelvis",
        right_hip="pelvis",
    ),
    "pelvis",
)
"""MPI-INF-3DHP, the 17 joints of its evaluation."""

_ARM_28 = ("clavicle", "shoulder", "elbow", "wrist", "hand")
_LEG_28 = ("hip", "knee", "ankle", "foot", "toe")
_3DHP_28_JOINTS = (
    "spine_3",
    "spine_4",
    "spine_2",
    "spine",
    "pelvis",
    "thorax",
    "neck",
    "head_top",
    *(f"left_{part}" for part in _ARM_28),
    *(f"right_{part}" for part in _ARM_28),
    *(f"left_{part}" for part in _LEG_28),
    *(f"right_{part}" for part in _LEG_28),
)
MPI_INF_3DHP_28 = Skeleton(
    "mpi-inf-3dhp-28",
    _3DHP_28_JOINTS,
    _tree(
        _3DHP_28_JOINTS,
        spine="pelvis",
        spine_2="spine",
        spine_3="spine_2",
        spine_4="spine_3",
        thorax="spine_4",
        neck="thorax",
        head_top="neck",
        **{
            f"{side}_{child}": parent.format(side)
            for side in ("left", "right")
            for child, parent in (
                ("clavicle", "spine_4"),
                ("shoulder", "{}_clavicle"),
                ("hand", "{}_wrist"),
                ("hip", "pelvis"),
                ("foot", "{}_ankle"),
                ("toe", "{}_foot"),
            )
        },
    ),
    "pelvis",
)
"""MPI-INF-3DHP with all 28 joints."""

LAYOUTS: dict[str, Skeleton] = {
    skeleton.name: skeleton
    for skeleton in (
        H36M_17,
        COCO_17,
        HALPE_26,
        BODY_25,
        COCO_18,
        MPI_15,
        COCO_WHOLEBODY_133,
        MEDIAPIPE_33,
        H36M_32,
        MPI_INF_3DHP_17,
        MPI_INF_3DHP_28,
        HALPE_68,
        HALPE_136,
    )
}
"""Every layout by name."""


def get_layout(name: str) -> Skeleton:
    """The layout called ``name``.

    Raises:
        UsageError: no layout of that name; the message lists them and proposes the nearest.

    >>> get_layout("coco-17").joints[:3]
    ('nose', 'left_eye', 'right_eye')
    """
    if isinstance(name, str):
        plain = name.strip().lower().replace("_", "-")
        if plain in LAYOUTS:
            return LAYOUTS[plain]
        near = difflib.get_close_matches(plain, LAYOUTS, n=1)
    else:
        near = []  # type: ignore[unreachable]  # callers without a type checker
    raise UsageError(
        f"unknown layout {name!r}",
        f"one of {', '.join(LAYOUTS)}",
        f"did you mean {near[0]}?" if near else "",
    )
