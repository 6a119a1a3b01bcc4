"""BVH: a skeleton and its rotations, for Blender, Maya, MotionBuilder and game engines.

One person for each file: several persons go to ``NAME_ID.bvh``. Centimetres, Y up, facing +z at
rest; the root moves, every joint turns by ``Zrotation Xrotation Yrotation`` in degrees that do
not jump by whole turns. Bones have constant lengths and every frame has a pose, see
`poselift.geometry.kinematics`: where joints are absent, they are interpolated, and the notes of
the writer say so. Joints are named as in ``h36m-17``; those named ``..._base``, ``..._collar``,
``..._pelvis`` and ``lower_back`` lie in their parent and only turn.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError, PoseliftError
from poselift.files import read_bytes, write_text
from poselift.geometry.kinematics import Animation, Rig, forward
from poselift.geometry.rotation import rotation_about, to_euler_zxy, unwrap_euler
from poselift.motion.animate import animate
from poselift.motion.content import finite_or_absent, in_file
from poselift.motion.placement import even_times, place
from poselift.motion.points import to_pose
from poselift.motion.written import Written, person_paths
from poselift.poses import Pose3D

_CM = 100.0
_TIP = 0.05  # metres beyond the last joint of a limb, so that its bone can be seen
_CHANNELS = {f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation")}


def write(pose3d: Pose3D, path: str | os.PathLike[str]) -> Written:
    """Write ``pose3d`` to ``path``, or one file for each of several persons.

    Raises:
        DataError: nobody is seen, infinite numbers, or the file cannot be written.
        UsageError: joints other than those of ``h36m-17``.
    """
    finite_or_absent(pose3d)
    paths = person_paths(pose3d, path)
    placed = place(pose3d)
    joints = even_times(pose3d, placed.joints)
    notes = list(placed.notes)
    for person, file in paths.items():
        animation, about = animate(pose3d, joints[person], person)
        notes += about
        write_text(file, _hierarchy(animation.rig) + _frames(animation, pose3d.fps))
    return Written(tuple(paths.values()), tuple(notes))


def read(path: str | os.PathLike[str]) -> Pose3D:
    """Read the joints of a BVH file, of poselift or of another program, by forward kinematics.

    Lengths are taken as centimetres and Y as up, which is the habit; the file does not say.

    Returns:
        One person; joints of ``h36m-17`` if all of them are in the file, else those of the file.

    Raises:
        DataError: no such file, or not a BVH file.
    """
    raw = read_bytes(path)
    try:
        head, motion, body = raw.decode("utf-8-sig", "replace").partition("MOTION")
        if not motion:
            raise DataError("no MOTION", "a BVH file")
        nodes = _parse(iter(head.split()))
        values, fps = _numbers(body, sum(len(node.channels) for node in nodes))
        rotations = np.zeros((len(values), len(nodes), 3, 3)) + np.eye(3)
        position = np.zeros((len(values), 3))
        column = 0
        for index, node in enumerate(nodes):
            for channel in node.channels:
                axis, kind = channel[0].lower(), channel[1:].lower()
                if kind == "rotation":
                    turn = rotation_about(_axis(axis), np.radians(values[:, column]))
                    rotations[:, index] = rotations[:, index] @ turn
                elif index == 0:
                    position[:, "xyz".index(axis)] = values[:, column]
                column += 1
        rig = Rig(
            tuple(node.name for node in nodes),
            tuple(node.parent for node in nodes),
            np.array([node.offset for node in nodes]),
        )
        if "Xposition" in nodes[0].channels:  # it replaces the offset of the root
            rig.offsets[0] = 0.0
        points = forward(rig, rotations, position)[None] / _CM
        return to_pose(points, rig.names, rig.parents, path, fps=fps)
    except (PoseliftError, ValueError, OverflowError, RecursionError) as error:
        raise in_file(path, error) from error


def _hierarchy(rig: Rig) -> str:
    lines = ["HIERARCHY"]

    def add(node: int, depth: int) -> None:
        indent = "\t" * depth
        kind = "ROOT" if rig.parents[node] < 0 else "JOINT"
        channels = "Zrotation Xrotation Yrotation"
        if kind == "ROOT":
            channels = f"Xposition Yposition Zposition {channels}"
        lines.extend([f"{indent}{kind} {rig.names[node]}", f"{indent}{{"])
        lines.append(f"{indent}\tOFFSET {_text(rig.offsets[node] * _CM)}")
        lines.append(f"{indent}\tCHANNELS {len(channels.split())} {channels}")
        for child in rig.children[node]:
            add(child, depth + 1)
        if not rig.children[node]:
            length = float(np.linalg.norm(rig.offsets[node]))
            way = rig.offsets[node] / length if length > 0 else np.array([0.0, 1.0, 0.0])
            lines.extend([f"{indent}\tEnd Site", f"{indent}\t{{"])
            lines.extend([f"{indent}\t\tOFFSET {_text(way * _TIP * _CM)}", f"{indent}\t}}"])
        lines.append(f"{indent}}}")

    add(0, 0)
    return "\n".join(lines) + "\n"


def _frames(animation: Animation, fps: float) -> str:
    angles = np.degrees(unwrap_euler(to_euler_zxy(animation.rotations)))
    rows = np.concatenate(
        [animation.position * _CM, angles.reshape(len(angles), -1)], axis=1
    )  # the nodes of a rig stand in the order of the hierarchy
    lines = ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / fps:.9g}"]
    lines.extend(map(_text, rows))
    return "\n".join(lines) + "\n"


def _text(values: npt.NDArray[np.float64]) -> str:
    # A ten-thousandth of a centimetre or a degree: two micrometres at the end of an arm. Adding
    # zero makes -0 a 0.
    return " ".join(f"{value:.4f}" for value in np.round(values, 4) + 0.0)


@dataclass
class _Node:
    name: str
    parent: int
    offset: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    channels: list[str] = field(default_factory=list)


def _parse(words: Iterator[str]) -> list[_Node]:
    """Nodes of a hierarchy in file order, without end sites."""
    nodes: list[_Node] = []
    open_nodes: list[int] = []  # -1: an end site

    def take(count: int = 1) -> list[str]:
        taken = [word for _, word in zip(range(count), words, strict=False)]
        if len(taken) < count:
            raise DataError("the hierarchy ends too early", "a complete BVH file")
        return taken

    if take() != ["HIERARCHY"]:
        raise DataError("does not begin with HIERARCHY", "a BVH file")
    for word in words:
        if word in ("ROOT", "JOINT"):
            # A name may have spaces in it: it goes up to the bracket.
            name = take()
            while name[-1] != "{":
                name += take()
            if word == "ROOT" and nodes:
                raise DataError("a second ROOT", "one skeleton for each file")
            if word == "JOINT" and (not open_nodes or open_nodes[-1] < 0):
                raise DataError(f"JOINT {' '.join(name[:-1])} outside of a skeleton", "a ROOT")
            nodes.append(_Node(" ".join(name[:-1]), open_nodes[-1] if open_nodes else -1))
            open_nodes.append(len(nodes) - 1)
        elif word == "End":
            if take(2)[1] != "{":
                raise DataError("an End Site without a bracket", "a BVH file")
            open_nodes.append(-1)
        elif word == "OFFSET":
            offset = [float(number) for number in take(3)]
            if open_nodes and open_nodes[-1] >= 0:
                nodes[open_nodes[-1]].offset = offset
        elif word == "CHANNELS":
            channels = take(int(take()[0]))
            if not _CHANNELS.issuperset(channels) or not open_nodes or open_nodes[-1] < 0:
                raise DataError(f"CHANNELS {' '.join(channels)}", f"of {', '.join(_CHANNELS)}")
            nodes[open_nodes[-1]].channels = channels
        elif word == "}" and open_nodes:
            open_nodes.pop()
        else:
            raise DataError(f"{word[:40]!r} in the hierarchy", "a BVH file")
    if open_nodes or not nodes:
        raise DataError("a hierarchy without an end", "a complete BVH file")
    return nodes


def _numbers(body: str, columns: int) -> tuple[npt.NDArray[np.float64], float]:
    """Values (T, columns) and frames per second."""
    words = body.split()
    if len(words) < 5 or words[0] != "Frames:" or words[2:4] != ["Frame", "Time:"]:
        raise DataError("MOTION without Frames and Frame Time", "a complete BVH file")
    frames, seconds = int(words[1]), float(words[4])
    values = np.array(words[5:], dtype=np.float64)
    if frames < 1 or columns < 1 or values.size != frames * columns:
        raise DataError(
            f"{values.size} numbers of motion", f"{frames} frames of {columns}", "is it complete?"
        )
    if not np.isfinite(values).all():
        raise DataError("motion that is not finite", "numbers")
    if not (np.isfinite(seconds) and seconds > 0):
        raise DataError(f"Frame Time of {seconds}", "a positive number")
    # Seven digits: what is left of a rate after the rounding of its inverse.
    return values.reshape(frames, columns), float(f"{1 / seconds:.7g}")


def _axis(letter: str) -> Literal["x", "y", "z"]:
    return "x" if letter == "x" else "y" if letter == "y" else "z"
