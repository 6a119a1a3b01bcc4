"""GLB: animated skeletons that any 3D viewer, three.js and Blender open (glTF 2.0, pygltflib).

All persons in one file, each with an armature, a mesh of bones bound to it (left blue, right
orange) and channels in one animation. Metres, Y up, rotations as quaternions. As in BVH, bones
have constant lengths and gaps are interpolated; the writer's notes say where.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError, MissingExtraError, PoseliftError
from poselift.files import read_bytes, write_bytes
from poselift.geometry.kinematics import Animation, Rig
from poselift.geometry.rotation import from_quaternion, to_quaternion
from poselift.motion.animate import animate
from poselift.motion.content import describe, finite_or_absent, in_file
from poselift.motion.placement import place
from poselift.motion.points import to_pose
from poselift.motion.written import Written, seen_persons
from poselift.poses import Pose3D

Array = npt.NDArray[np.float64]

_FLOAT, _BYTE, _SHORT, _INT = 5126, 5121, 5123, 5125  # component types of glTF
_DTYPES = {5120: "<i1", _BYTE: "<u1", 5122: "<i2", _SHORT: "<u2", _INT: "<u4", _FLOAT: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_PATHS = {"translation": 3, "rotation": 4, "scale": 3}

# The colours of the viewer, #0072b2, #d55e00 and grey, as linear light.
_COLOURS = {"left": (0.0, 0.168, 0.445), "right": (0.665, 0.112, 0.0), "": (0.22, 0.25, 0.3)}
_JOINT = 0.022  # metres, half the width of the mark of a joint

_RING = np.array([[1.0, 0, 0], [0, 0, 1.0], [-1.0, 0, 0], [0, 0, -1.0]])


def write(pose3d: Pose3D, path: str | os.PathLike[str]) -> Written:
    """Write all persons of ``pose3d`` to ``path``.

    Raises:
        DataError: nobody is seen, infinite numbers, or the file cannot be written.
        UsageError: joints other than those of ``h36m-17``, or metadata that JSON cannot hold.
        MissingExtraError: pygltflib is not installed.
    """
    gltf = _pygltflib()
    finite_or_absent(pose3d)
    persons = seen_persons(pose3d, path)
    placed = place(pose3d)
    notes = list(placed.notes)
    buffer = _Buffer(gltf)
    model = gltf.GLTF2(
        asset=gltf.Asset(
            version="2.0",
            generator="poselift",
            extras={"poselift": {**describe(pose3d), "fps": pose3d.fps, "notes": notes}},
        ),
        scene=0,
        scenes=[gltf.Scene(name="poselift", nodes=[])],
        materials=[
            gltf.Material(
                name="bones",
                doubleSided=True,
                pbrMetallicRoughness=gltf.PbrMetallicRoughness(
                    baseColorFactor=[1.0, 1.0, 1.0, 1.0], metallicFactor=0.0, roughnessFactor=0.7
                ),
            )
        ],
        animations=[gltf.Animation(name="motion", samplers=[], channels=[])],
    )
    times = buffer.add(pose3d.times - pose3d.times[0], "SCALAR", bounds=True)
    for person in persons:
        animation, about = animate(pose3d, placed.joints[person], person, pose3d.times)
        notes += about
        _add_person(model, gltf, buffer, animation, int(pose3d.track_ids[person]), times)
    model.asset.extras["poselift"]["notes"] = notes
    model.accessors, model.bufferViews = buffer.accessors, buffer.views
    model.buffers = [gltf.Buffer(byteLength=len(buffer.data))]
    model.set_binary_blob(bytes(buffer.data))
    write_bytes(path, b"".join(model.save_to_bytes()))
    return Written((Path(path),), tuple(notes))


def read(path: str | os.PathLike[str]) -> Pose3D:
    """Read the skeletons of a GLB file, of poselift or of another program.

    Each skin is a person, its joints follow from the first animation by forward kinematics.
    Skins that have other joints than the first are left out.

    Returns:
        Joints of ``h36m-17`` if all of them are in the file, else those of the first skin.

    Raises:
        DataError: no such file, not a GLB file, without a skeleton, or with curves instead of
            linear motion.
        MissingExtraError: pygltflib is not installed.
    """
    gltf = _pygltflib()
    raw = read_bytes(path)
    try:
        if raw[:4] != b"glTF" or len(raw) < 12 or int.from_bytes(raw[8:12], "little") > len(raw):
            raise DataError("not a GLB file, or not all of one", "a GLB file")
        model = gltf.GLTF2.load_from_bytes(raw)
        data = model.binary_blob() or b""
        if not model.skins:
            raise DataError("no skeleton", "a skin with joints")
        tracks = _tracks(model, data)
        times = np.unique(np.concatenate([np.zeros(1), *(t for t, *_ in tracks.values())]))
        if tracks:
            first = min(t[0] for t, *_ in tracks.values())
            times = times[times >= first]  # zero is there for files without motion
        places, parents = _world(model, tracks, times)
        names = [str(model.nodes[n].name or f"joint {n}") for n in model.skins[0].joints]
        chosen = [
            skin
            for skin in model.skins
            if [str(model.nodes[n].name or f"joint {n}") for n in skin.joints] == names
            or skin is model.skins[0]
        ]
        points = np.stack([places[:, skin.joints] for skin in chosen])  # (P, T, N, 3)
        if not np.isfinite(points).all():
            raise DataError("numbers that are not finite", "finite ones")
        joints = list(model.skins[0].joints)
        above = [joints.index(parents[n]) if parents[n] in joints else -1 for n in joints]
        ours = model.asset.extras.get("poselift", {}) if model.asset.extras else {}
        step = float(np.median(np.diff(times))) if len(times) > 1 else 1 / 30
        fps = ours.get("fps", float(f"{1 / step:.5g}"))
        ids = [(skin.extras or {}).get("track_id", i) for i, skin in enumerate(chosen)]
        # Times of float32 would not be those of the frame rate.
        even = bool(np.abs(times - times[0] - np.arange(len(times)) / fps).max() < 0.01 / fps)
        return to_pose(
            points,
            names,
            above,
            path,
            fps=float(fps),
            times=None if even else times,
            track_ids=ids,
        )
    except PoseliftError as error:
        raise in_file(Path(path), error) from error
    except Exception as error:  # pygltflib raises whatever it stumbles over
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{os.fspath(path)}: not a GLB file, or damaged ({reason})") from error


def _pygltflib() -> ModuleType:
    try:
        import pygltflib
    except ImportError as error:
        raise MissingExtraError(
            "GLB needs pygltflib, which is not installed", "", 'pip install "poselift[formats]"'
        ) from error
    module: ModuleType = pygltflib
    return module


@dataclass
class _Buffer:
    """The binary part of a file, and the tables that say what is where."""

    gltf: ModuleType
    data: bytearray = field(default_factory=bytearray)
    views: list[Any] = field(default_factory=list)
    accessors: list[Any] = field(default_factory=list)

    def add(
        self,
        values: npt.NDArray[Any],
        kind: str,
        component: int = _FLOAT,
        target: int | None = None,
        bounds: bool = False,
    ) -> int:
        """Append an array (count, width) or (count,); index of its accessor."""
        array = np.ascontiguousarray(values, dtype=_DTYPES[component])
        start = len(self.data)
        self.data += array.tobytes()
        self.data += bytes(-len(self.data) % 4)
        self.views.append(
            self.gltf.BufferView(buffer=0, byteOffset=start, byteLength=array.nbytes, target=target)
        )
        accessor = self.gltf.Accessor(
            bufferView=len(self.views) - 1,
            byteOffset=0,
            componentType=component,
            count=len(array),
            type=kind,
        )
        if bounds:
            flat = array.reshape(len(array), -1)
            accessor.min, accessor.max = flat.min(axis=0).tolist(), flat.max(axis=0).tolist()
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _add_person(
    model: Any, gltf: ModuleType, buffer: _Buffer, animation: Animation, track: int, times: int
) -> None:
    """Nodes, skin, mesh and channels of one person."""
    rig = animation.rig
    # One quaternion and its negative are one rotation; players go the long way between them.
    turns = to_quaternion(animation.rotations)  # (T, N, 4)
    flips = np.where((turns[1:] * turns[:-1]).sum(axis=-1) < 0, -1.0, 1.0)
    turns[1:] *= np.cumprod(flips, axis=0)[..., None]

    armature = len(model.nodes)
    first = armature + 1  # node of the file for node 0 of the rig
    model.nodes.append(gltf.Node(name=f"person {track}", children=[first]))
    channels = model.animations[0]
    for n, name in enumerate(rig.names):
        start = rig.offsets[n] if n else animation.position[0]
        model.nodes.append(
            gltf.Node(
                name=name,
                translation=start.tolist(),
                rotation=turns[0, n].tolist(),  # what viewers show that do not play
                children=[first + child for child in rig.children[n]],
            )
        )
        if rig.children[n]:  # the ends never turn
            output = buffer.add(turns[:, n], "VEC4")
            _add_channel(channels, gltf, times, output, first + n, "rotation")
    output = buffer.add(animation.position, "VEC3")
    _add_channel(channels, gltf, times, output, first, "translation")

    bind = np.zeros((len(rig.names), 4, 4)) + np.eye(4)
    bind[:, 3, :3] = -rig.rest  # glTF stores columns, so the shift stands in the last row
    model.skins.append(
        gltf.Skin(
            name=f"person {track}",
            skeleton=first,
            joints=list(range(first, first + len(rig.names))),
            inverseBindMatrices=buffer.add(bind.reshape(-1, 16), "MAT4"),
            extras={"track_id": track},
        )
    )
    positions, normals, colours, nodes = _body(rig)
    joints = np.zeros((len(nodes), 4))
    joints[:, 0] = nodes
    weights = np.zeros((len(nodes), 4))
    weights[:, 0] = 1.0
    vertices = 34962  # the target of vertex data in glTF
    attributes = gltf.Attributes(
        POSITION=buffer.add(positions, "VEC3", target=vertices, bounds=True),
        NORMAL=buffer.add(normals, "VEC3", target=vertices),
        COLOR_0=buffer.add(colours, "VEC3", target=vertices),
        JOINTS_0=buffer.add(joints, "VEC4", _BYTE, target=vertices),
        WEIGHTS_0=buffer.add(weights, "VEC4", target=vertices),
    )
    name = f"person {track} body"
    model.meshes.append(
        gltf.Mesh(name=name, primitives=[gltf.Primitive(attributes=attributes, material=0)])
    )
    model.nodes.append(gltf.Node(name=name, mesh=len(model.meshes) - 1, skin=len(model.skins) - 1))
    model.scenes[0].nodes += [armature, len(model.nodes) - 1]


def _add_channel(
    animation: Any, gltf: ModuleType, times: int, output: int, node: int, path: str
) -> None:
    animation.samplers.append(
        gltf.AnimationSampler(input=times, output=output, interpolation="LINEAR")
    )
    animation.channels.append(
        gltf.AnimationChannel(
            sampler=len(animation.samplers) - 1,
            target=gltf.AnimationChannelTarget(node=node, path=path),
        )
    )


def _body(rig: Rig) -> tuple[Array, Array, Array, npt.NDArray[np.int64]]:
    """Triangles of a body of bones at rest: places, normals and colours (V, 3), node (V,)."""
    parts: list[tuple[Array, Array, str, int]] = []  # triangles, their origin, side, node
    for n, parent in enumerate(rig.parents):
        side = rig.names[n].partition("_")[0]
        side = side if side in ("left", "right") else ""
        length = float(np.linalg.norm(rig.offsets[n]))
        if length > 1e-6:
            width = float(np.clip(0.11 * length, 0.01, 0.04))
            bone = _spindle(rig.offsets[n] / length, length, width, 0.2)
            parts.append((bone, rig.rest[parent], side, parent))
        if n in rig.joints:
            mark = _spindle(np.array([0.0, 1.0, 0.0]), 2 * _JOINT, _JOINT, 0.5)
            parts.append((mark, rig.rest[n] - [0.0, _JOINT, 0.0], side, n))
    triangles = np.concatenate([part for part, *_ in parts])  # (F, 3, 3)
    # Before they are moved to their places: a person may be far too large for his bones' widths.
    normal = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    counts = [3 * len(part) for part, *_ in parts]
    colours = np.repeat(np.array([_COLOURS[side] for *_, side, _ in parts]), counts, axis=0)
    nodes = np.repeat(np.array([node for *_, node in parts]), counts)
    origins = np.repeat(np.array([origin for _, origin, *_ in parts]), counts, axis=0)
    places = triangles.reshape(-1, 3) + origins
    return places, np.repeat(normal, 3, axis=0), colours, nodes


def _spindle(way: Array, length: float, width: float, share: float) -> Array:
    """Eight triangles (8, 3, 3) from the origin along a unit vector, widest at ``share``."""
    side = np.cross(way, np.eye(3)[int(np.abs(way).argmin())])
    side /= np.linalg.norm(side)
    frame = np.stack([side, way, np.cross(side, way)])
    start, end = np.zeros(3), length * way
    ring = share * end + width * _RING @ frame
    after = np.roll(ring, -1, axis=0)
    # Corners run against the clock, seen from outside.
    lower = [np.stack([start, a, b]) for a, b in zip(ring, after, strict=True)]
    upper = [np.stack([end, b, a]) for a, b in zip(ring, after, strict=True)]
    return np.stack(lower + upper)


def _array(model: Any, data: bytes, index: int) -> Array:
    """Values (count, width) of an accessor."""
    accessor = model.accessors[index]
    if accessor.sparse is not None or accessor.bufferView is None:
        raise DataError("sparse data", "plain data")
    view = model.bufferViews[accessor.bufferView]
    if view.buffer != 0 or model.buffers[0].uri is not None:
        raise DataError("data in another file", "a GLB file that holds everything")
    width, dtype = _WIDTHS[accessor.type], np.dtype(_DTYPES[accessor.componentType])
    stride = view.byteStride or width * dtype.itemsize
    start = (view.byteOffset or 0) + (accessor.byteOffset or 0)
    if accessor.count < 1 or start < 0 or stride < width * dtype.itemsize:
        raise DataError(f"an accessor of {accessor.count} values", "a complete file")
    if start + (accessor.count - 1) * stride + width * dtype.itemsize > len(data):
        raise DataError("less data than the header says", "a complete file")
    raw = np.ndarray((accessor.count, width), dtype, data, start, (stride, dtype.itemsize))
    values = raw.astype(np.float64)
    if dtype.kind == "f":
        return values
    # Whole numbers stand for fractions.
    return np.maximum(values / np.iinfo(dtype).max, -1.0)


def _tracks(model: Any, data: bytes) -> dict[tuple[int, str], tuple[Array, Array, bool]]:
    """What moves: (node, path) -> times (K,), values (K, width), whether it moves in steps."""
    tracks = {}
    for animation in model.animations[:1]:
        for channel in animation.channels:
            node, path = channel.target.node, channel.target.path
            if node is None or path not in _PATHS:  # weights of morph targets move no joint
                continue
            sampler = animation.samplers[channel.sampler]
            if sampler.interpolation == "CUBICSPLINE":
                raise DataError("curves between frames", "linear motion", "export it sampled")
            times = _array(model, data, sampler.input)[:, 0]
            values = _array(model, data, sampler.output)
            if values.shape != (len(times), _PATHS[path]) or (np.diff(times) <= 0).any():
                raise DataError(f"{path} of shape {values.shape}", "one value for each time")
            tracks[node, path] = times, values, sampler.interpolation == "STEP"
    return tracks


def _world(
    model: Any, tracks: dict[tuple[int, str], tuple[Array, Array, bool]], times: Array
) -> tuple[Array, list[int]]:
    """Places (T, nodes, 3) of all nodes, and the parent of each, -1 for none."""
    count = len(model.nodes)
    parents = [-1] * count
    for n, node in enumerate(model.nodes):
        for child in node.children or ():
            if parents[child] >= 0 or child == n:
                raise DataError("a node with two parents", "a tree")
            parents[child] = n
    matrices: dict[int, Array] = {}

    def matrix(n: int) -> Array:
        # From the root downwards, so that deep trees need no deep stack.
        line = [n]
        while parents[line[-1]] >= 0 and parents[line[-1]] not in matrices:
            line.append(parents[line[-1]])
            if len(line) > count:
                raise DataError("a node above itself", "a tree")
        for node in reversed(line):
            local = _local(model.nodes[node], node, tracks, times)
            above = matrices.get(parents[node])
            matrices[node] = local if above is None else above @ local
        return matrices[n]

    places = np.stack(
        [matrices[n][:, :3, 3] if n in matrices else matrix(n)[:, :3, 3] for n in range(count)],
        axis=1,
    )
    return places, parents


def _local(
    node: Any,
    index: int,
    tracks: dict[tuple[int, str], tuple[Array, Array, bool]],
    times: Array,
) -> Array:
    """Transform (T, 4, 4) of a node against its parent."""
    out = np.zeros((len(times), 4, 4)) + np.eye(4)
    if node.matrix:
        return out @ np.array(node.matrix, dtype=np.float64).reshape(4, 4).T
    rest = {
        "translation": node.translation or [0.0] * 3,
        "rotation": node.rotation or [0.0, 0.0, 0.0, 1.0],
        "scale": node.scale or [1.0] * 3,
    }
    at = {}
    for path, value in rest.items():
        if (index, path) in tracks:
            at[path] = _sample(*tracks[index, path], times, path == "rotation")
        else:
            at[path] = np.array([value], dtype=np.float64)
    if (np.abs(at["rotation"]).max(axis=-1) == 0).any():
        raise DataError("a rotation of zeros", "quaternions")
    out[:, :3, :3] = from_quaternion(at["rotation"]) * at["scale"][:, None, :]
    out[:, :3, 3] = at["translation"]
    return out


def _sample(keys: Array, values: Array, steps: bool, times: Array, turns: bool) -> Array:
    """Values at ``times``; constant before the first key and after the last."""
    after = np.clip(np.searchsorted(keys, times, side="right"), 1, max(1, len(keys) - 1))
    before = after - 1
    if len(keys) == 1:
        return values[before]
    share = np.clip((times - keys[before]) / (keys[after] - keys[before]), 0.0, 1.0)[:, None]
    if steps:
        share = np.floor(share)
    first, second = values[before], values[after]
    if turns:  # the nearer of the two quaternions; normalised where they are used
        dot = (first * second).sum(axis=-1, keepdims=True)
        second = np.where(dot < 0, -second, second)
    return first + share * (second - first)
