"""Skeletons by joint name: names, parents, mirror pairs, root, and what follows from them.

This is the only place that knows the order of joints in a layout. Graphs, flips,
limb groups and drawing derive their indices from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from poselift.errors import UsageError


@dataclass(frozen=True)
class Skeleton:
    """A named set of joints in a fixed order.

    Args:
        name: layout name, such as ``"h36m-17"``.
        joints: joint names in file order. A left joint is ``left_x`` and its mirror
            ``right_x``; all others mirror to themselves.
        parents: joint name -> name of its parent, for every joint that has one.
        root: name of the joint that has no parent, or ``None`` for a layout that is
            a set of points without a tree.

    >>> H36M_17.parent_indices[:4]
    (-1, 0, 1, 2)
    >>> H36M_17.joints[H36M_17.mirror_indices[H36M_17.index("left_knee")]]
    'right_knee'
    """

    name: str
    joints: tuple[str, ...]
    parents: Mapping[str, str]
    root: str | None = None

    def __post_init__(self) -> None:
        if len(set(self.joints)) != len(self.joints):
            raise UsageError(f"skeleton {self.name}: a joint name occurs twice", "unique names")
        for child, parent in self.parents.items():
            if child not in self.joints or parent not in self.joints:
                raise UsageError(
                    f"skeleton {self.name}: bone {parent} -> {child} has an unknown joint",
                    "names from its joints",
                )

    def __len__(self) -> int:
        return len(self.joints)

    def __hash__(self) -> int:
        return hash((self.name, self.joints))

    def index(self, joint: str) -> int:
        """Position of ``joint``; ``UsageError`` if this skeleton has none of that name."""
        try:
            return self.joints.index(joint)
        except ValueError:
            raise UsageError(
                f"skeleton {self.name} has no joint {joint!r}", f"one of {', '.join(self.joints)}"
            ) from None

    def indices(self, joints: tuple[str, ...] | list[str]) -> tuple[int, ...]:
        """Positions of several joints."""
        return tuple(self.index(joint) for joint in joints)

    @cached_property
    def parent_indices(self) -> tuple[int, ...]:
        """Index of each joint's parent, -1 where it has none."""
        return tuple(
            self.joints.index(self.parents[j]) if j in self.parents else -1 for j in self.joints
        )

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) index pairs."""
        return tuple((p, c) for c, p in enumerate(self.parent_indices) if p >= 0)

    @cached_property
    def mirror_indices(self) -> tuple[int, ...]:
        """Index of each joint's mirror image (itself for joints on the middle line)."""
        swap = {"left": "right", "right": "left"}
        mirrored = []
        for joint in self.joints:
            side, _, rest = joint.partition("_")
            other = f"{swap[side]}_{rest}" if side in swap else joint
            mirrored.append(self.joints.index(other) if other in self.joints else self.index(joint))
        return tuple(mirrored)


H36M_17 = Skeleton(
    "h36m-17",
    (
        "pelvis",
        "right_hip",
        "right_knee",
        "right_ankle",
        "left_hip",
        "left_knee",
        "left_ankle",
        "spine",
        "thorax",
        "neck",
        "head",
        "left_shoulder",
        "left_elbow",
        "left_wrist",
        "right_shoulder",
        "right_elbow",
        "right_wrist",
    ),
    {
        "right_hip": "pelvis",
        "right_knee": "right_hip",
        "right_ankle": "right_knee",
        "left_hip": "pelvis",
        "left_knee": "left_hip",
        "left_ankle": "left_knee",
        "spine": "pelvis",
        "thorax": "spine",
        "neck": "thorax",
        "head": "neck",
        "left_shoulder": "thorax",
        "left_elbow": "left_shoulder",
        "left_wrist": "left_elbow",
        "right_shoulder": "thorax",
        "right_elbow": "right_shoulder",
        "right_wrist": "right_elbow",
    },
    "pelvis",
)

END_JOINTS = ("right_ankle", "left_ankle", "left_wrist", "right_wrist")
"""The ends of the limbs, whose error HTNet sets out to cut."""

LIMBS = (
    ("right_hip", "right_knee", "right_ankle"),
    ("left_hip", "left_knee", "left_ankle"),
    ("left_shoulder", "left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow", "right_wrist"),
)
"""The four limbs in Human3.6M joint order."""
