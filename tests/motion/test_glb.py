"""GLB: the structure that viewers rely on, and what other readers see."""

from __future__ import annotations

import dataclasses
import json
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from motion_examples import moving, y_up

from poselift.errors import DataError, MissingExtraError
from poselift.geometry.kinematics import fit
from poselift.motion import glb
from poselift.poses import Pose3D
from poselift.skeleton import H36M_17


def chunks(path: Path) -> tuple[dict[str, Any], bytes]:
    """JSON and binary part by the rules of the GLB container, without any library."""
    raw = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", raw)
    assert (magic, version, length) == (b"glTF", 2, len(raw))
    size, kind = struct.unpack_from("<I4s", raw, 12)
    assert (kind, size % 4) == (b"JSON", 0)
    content = json.loads(raw[20 : 20 + size])
    binary_size, kind = struct.unpack_from("<I4s", raw, 20 + size)
    assert (kind, binary_size % 4) == (b"BIN\0", 0)
    binary = raw[28 + size :]
    assert len(binary) == binary_size
    return content, binary


def rebuilt(path: Path, change: dict[str, Any], binary: bytes) -> None:
    text = json.dumps(change).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<4sII", b"glTF", 2, 28 + len(text) + len(binary))
    parts = [head, struct.pack("<I4s", len(text), b"JSON"), text]
    path.write_bytes(b"".join([*parts, struct.pack("<I4s", len(binary), b"BIN\0"), binary]))


def values(content: dict[str, Any], binary: bytes, index: int) -> np.ndarray:
    accessor = content["accessors"][index]
    view = content["bufferViews"][accessor["bufferView"]]
    width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}[accessor["type"]]
    dtype = {5126: "<f4", 5121: "<u1"}[accessor["componentType"]]
    start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    assert start % 4 == 0
    count = accessor["count"] * width
    assert view["byteLength"] == count * np.dtype(dtype).itemsize
    return np.frombuffer(binary, dtype, count, start).reshape(-1, width)


def test_the_structure_is_that_of_an_animated_skeleton(tmp_path: Path) -> None:
    pose = moving("walk", "wave", track_ids=np.array([4, 2]), meta={"model": "htnet"})
    content, binary = chunks(glb.write(pose, tmp_path / "zwei Läufer.glb").paths[0])
    assert content["asset"]["version"] == "2.0"
    assert content["asset"]["extras"]["poselift"]["model"] == "htnet"
    nodes, (animation,) = content["nodes"], content["animations"]
    roots = content["scenes"][content["scene"]]["nodes"]
    assert [nodes[n]["name"] for n in roots] == [
        "person 4", "person 4 body", "person 2", "person 2 body",
    ]  # fmt: skip
    children = [child for node in nodes for child in node.get("children", [])]
    assert len(set(children)) == len(children)
    assert set(children) | set(roots) == set(range(len(nodes)))
    for number, skin in enumerate(content["skins"]):
        names = [nodes[n]["name"] for n in skin["joints"]]
        assert set(H36M_17.joints) < set(names)
        body = next(node for node in nodes if node.get("skin") == number)
        assert "children" not in body
        (primitive,) = content["meshes"][body["mesh"]]["primitives"]
        at = {key: values(content, binary, i) for key, i in primitive["attributes"].items()}
        assert len({len(value) for value in at.values()}) == 1
        assert at["JOINTS_0"].max() < len(names)
        np.testing.assert_array_equal(at["WEIGHTS_0"].sum(axis=1), 1)
        np.testing.assert_allclose(np.linalg.norm(at["NORMAL"], axis=1), 1, atol=1e-6)
        bounds = content["accessors"][primitive["attributes"]["POSITION"]]
        np.testing.assert_array_equal(at["POSITION"].min(axis=0), np.float32(bounds["min"]))
        np.testing.assert_array_equal(at["POSITION"].max(axis=0), np.float32(bounds["max"]))
        # At rest the matrices undo the places of the joints: a T pose about as wide as high.
        bind = values(content, binary, skin["inverseBindMatrices"]).reshape(-1, 4, 4)
        span = np.ptp(-bind[:, 3, :3], axis=0)
        assert 1.0 < span[0] < 2.0
        assert 1.2 < span[1] < 2.0
    for channel in animation["channels"]:
        sampler = animation["samplers"][channel["sampler"]]
        times = values(content, binary, sampler["input"])[:, 0]
        np.testing.assert_allclose(times, pose.times, atol=1e-6)
        output = values(content, binary, sampler["output"])
        assert len(output) == len(times)
        if channel["target"]["path"] == "rotation":
            np.testing.assert_allclose(np.linalg.norm(output, axis=1), 1, atol=1e-6)
            assert ((output[1:] * output[:-1]).sum(axis=1) > 0).all()  # never the long way


def test_another_reader_sees_the_first_frame(tmp_path: Path) -> None:
    pose = moving("walk")
    scene = trimesh.load_scene(glb.write(pose, tmp_path / "a.glb").paths[0])
    fitted = fit(y_up(pose)[0], pose.fps).joints
    for joint, place in zip(H36M_17.joints, fitted[0], strict=True):
        np.testing.assert_allclose(scene.graph.get(joint)[0][:3, 3], place, atol=1e-5)
    (body,) = scene.geometry.values()
    body.merge_vertices(merge_tex=True, merge_norm=True)
    assert body.is_watertight
    assert body.volume > 0  # seen from outside


def test_times_of_the_video_are_kept(tmp_path: Path) -> None:
    times = np.array([1.0, 1.02, 1.1, 1.11, 1.3])
    pose = moving("walk", seconds=0.1, times=times)
    back = glb.read(glb.write(pose, tmp_path / "a.glb").paths[0])
    np.testing.assert_allclose(back.times, times - 1, atol=1e-6)
    np.testing.assert_allclose(back.absolute, pose.absolute, atol=1e-5)
    assert back.fps == 50


def test_a_gap_is_filled_by_time(tmp_path: Path) -> None:
    """Absent for a while of uneven frames: nobody leaps."""
    times = np.array([0.0, 0.02, 0.04, 0.06, 1.5])
    x = np.array([0.0, 0.02, np.nan, np.nan, 1.5])
    pose = moving("walk", seconds=0.1, times=times)
    root = np.stack([x, 0 * x, 4 + 0 * x], axis=-1).astype(np.float32)[None]
    joints = np.where(np.isnan(x)[None, :, None, None], np.nan, pose.joints[:, :1])
    pose = dataclasses.replace(pose, joints=joints.astype(np.float32), root=root)
    back = glb.read(glb.write(pose, tmp_path / "a.glb").paths[0])
    np.testing.assert_allclose(back.absolute[0, :, 0, 0], times, atol=1e-5)


def test_files_of_other_programs(tmp_path: Path) -> None:
    path = tmp_path / "a.glb"
    times, turns = (
        np.float32([0.5, 1.0]),
        np.float32([[0, 0, 0, 1], [0, 0, 0.70710678, 0.70710678]]),
    )
    binary = times.tobytes() + turns.tobytes()
    nodes = [
        {"name": "rig", "children": [1], "scale": [0.01] * 3},
        {"name": "Hips", "children": [2], "translation": [0, 100, 0]},
        {"name": "Head", "matrix": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 60, 0, 1]},
    ]
    content = {
        "asset": {"version": "2.0"},
        "nodes": nodes,
        "skins": [{"joints": [1, 2]}],
        "buffers": [{"byteLength": len(binary)}],
        "bufferViews": [
            {"buffer": 0, "byteLength": 8},
            {"buffer": 0, "byteOffset": 8, "byteLength": 32},
        ],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 2, "type": "SCALAR"},
            {"bufferView": 1, "componentType": 5126, "count": 2, "type": "VEC4"},
        ],
        "animations": [
            {
                "samplers": [{"input": 0, "output": 1, "interpolation": "LINEAR"}],
                "channels": [{"sampler": 0, "target": {"node": 1, "path": "rotation"}}],
            }
        ],
    }
    rebuilt(path, content, binary)
    pose = glb.read(path)
    assert (pose.skeleton.joints, pose.skeleton.parents) == (("Hips", "Head"), {"Head": "Hips"})
    expected = [[[0, 1, 0], [0, 1.6, 0]], [[0, 1, 0], [-0.6, 1, 0]]]
    np.testing.assert_allclose(y_up(pose)[0], expected, atol=1e-6)
    assert pose.fps == 2

    def change(message: str, **fields: Any) -> None:
        rebuilt(path, {**content, **fields}, binary)
        with pytest.raises(DataError, match=message):
            glb.read(path)

    change("no skeleton", skins=[])
    change(
        "curves between frames",
        animations=[
            {
                **content["animations"][0],
                "samplers": [{"input": 0, "output": 1, "interpolation": "CUBICSPLINE"}],
            }
        ],
    )
    change("a tree", nodes=[nodes[0], {**nodes[1], "children": [2, 0]}, nodes[2]])
    change("a tree", nodes=[nodes[0], nodes[1], {**nodes[2], "children": [1]}])
    change(
        "less data", accessors=[content["accessors"][0], {**content["accessors"][1], "count": 3}]
    )
    change("another file", buffers=[{"byteLength": 40, "uri": "a.bin"}])
    change("rotation of zeros", nodes=[{**nodes[0], "rotation": [0, 0, 0, 0]}, *nodes[1:]])
    change("damaged", skins=[{"joints": [1, 7]}])
    rebuilt(path, {**content, "animations": []}, binary)
    assert glb.read(path).num_frames == 1  # a figure that does not move


@pytest.mark.parametrize("content", [b"", b"glTF", b"{}", b"glTF\2\0\0\0\xff\0\0\0"])
def test_files_that_are_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.glb").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.glb: not a GLB file"):
        glb.read(tmp_path / "a.glb")


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygltflib", None)
    for call in (lambda: glb.write(moving("walk"), tmp_path / "a.glb"), lambda: glb.read("a.glb")):
        with pytest.raises(MissingExtraError, match=r'pip install "poselift\[formats\]"'):
            call()
    assert list(tmp_path.iterdir()) == []


def test_who_is_never_seen_is_left_out(tmp_path: Path) -> None:
    pose = moving("walk", "wave")
    joints = pose.joints.copy()
    joints[0] = np.nan
    path = glb.write(Pose3D(joints, pose.root, fps=50.0), tmp_path / "a.glb").paths[0]
    assert glb.read(path).track_ids.tolist() == [1]
