"""Every bad input is one DataError or UsageError line that names the file."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keypoint_examples import Write, flat, person

from poselift.errors import DataError, PoseliftError, UsageError
from poselift.keypoints import SOURCES, read, read_all

GOOD = flat(person(25))
FRAME = {"people": [{"pose_keypoints_2d": GOOD}]}
ALPHA = {"image_id": "0.jpg", "keypoints": flat(person()), "score": 1, "idx": 1}
COCO = {"image_id": 0, "category_id": 1, "keypoints": flat(person()), "score": 1}
MMPOSE = {
    "keypoints": person(26)[:, :2].tolist(),
    "keypoint_scores": person(26)[:, 2].tolist(),
}
YOLO = {"keypoints": {"x": [1.0] * 17, "y": [2.0] * 17, "visible": [1.0] * 17}}
LANDMARKS = [{"x": 0.5, "y": 0.5, "z": 0, "visibility": 1}] * 33
KEYPOINTS = np.full((3, 17, 2), 50.0)
PX = np.full((3, 33, 2), 50.0)


def people(*values: Any) -> dict:
    return {"people": [{"pose_keypoints_2d": v} for v in values]}


def mediapipe(landmarks: Any = LANDMARKS, **more: Any) -> dict:
    return {"width": 640, "height": 480, "frames": [{"pose_landmarks": landmarks}]} | more


def annotations(**more: Any) -> dict:
    return {"images": [{"id": 0, "width": 9, "height": 9}], "annotations": [COCO]} | more


def objects(value: Any) -> np.ndarray:
    out = np.empty((), dtype=object)
    out[()] = value
    return out


class Evil:
    def __reduce__(self) -> Any:
        return (print, ("this must not run",))


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return stream.getvalue()


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def nan_at(index: int, value: float, count: int = 25) -> list[float]:
    values = flat(person(count))
    values[index] = value
    return values


def videopose(**more: Any) -> dict:
    content = {"positions_2d": objects({"v": {"custom": [KEYPOINTS]}}), "metadata": objects({})}
    return content | more


JSON: dict[str, Any] = {
    "empty file": b"",
    "only spaces": b"  \n",
    "cut off": json.dumps(FRAME)[:-20],
    "not JSON": "hello",
    "not UTF-8": b'{"people": "\xff\xfe"}',
    "UTF-16": json.dumps(FRAME).encode("utf-16"),
    "nested too deep": "[" * 100_000,
    "huge number": '{"people": [{"pose_keypoints_2d": [' + "9" * 5000 + ", 1, 1]}]}",
    "null": "null",
    "a number": "3",
    "a string": '"people"',
    "empty list": [],
    "empty object": {},
    "list of numbers": [1, 2, 3],
    "list of nulls": [None],
    "list of empty lists": [[], []],
    "unknown object": {"poses": []},
    "binary": bytes(range(256)),
    "openpose: people null": {"people": None},
    "openpose: people a number": {"people": 3},
    "openpose: nobody": people(),
    "openpose: person a list": {"people": [[1, 2, 3]]},
    "openpose: no keypoints": {"people": [{"face_keypoints_2d": GOOD}]},
    "openpose: keypoints text": people("abc"),
    "openpose: keypoints with null": people([*GOOD[:-1], None]),
    "openpose: keypoints with text": people([*GOOD[:-1], "1"]),
    "openpose: keypoints bool": people([True] * 75),
    "openpose: keypoints nested": people([GOOD]),
    "openpose: not triplets": people(GOOD[:-1]),
    "openpose: unknown count": people(GOOD[:-3]),
    "openpose: mixed counts": people(GOOD, flat(person(18))),
    "openpose: infinite": people(nan_at(3, float("inf"))),
    "openpose: beyond float32": people(nan_at(3, 1e39)),
    "openpose: all NaN": people([float("nan")] * 75),
    "openpose: all zero": people([0] * 75),
    "openpose: normalised": people([0.5] * 75),
    "openpose: integer of 400 digits": people([10**400, 1, 1] * 25),
    "alphapose: no number in the name": [ALPHA | {"image_id": "a.jpg"}],
    "alphapose: number too long": [ALPHA | {"image_id": "9" * 40 + ".jpg"}],
    "alphapose: keypoints null": [ALPHA | {"keypoints": None}],
    "alphapose: entry null": [ALPHA, None],
    "alphapose: second without a name": [ALPHA, {"keypoints": GOOD}],
    "alphapose: far frames": [ALPHA, ALPHA | {"image_id": "99999999999.jpg"}],
    "alphapose: eleven joints": [ALPHA | {"keypoints": flat(person(11))}],
    "alphapose: open, people null": {"0.jpg": {"people": None}},
    "alphapose: cmu, joints text": {"0.jpg": {"bodies": [{"joints": "a"}]}},
    "coco: keypoints an object": [COCO | {"keypoints": {}}],
    "coco: negative image": [COCO | {"image_id": -3}],
    "coco: second image null": [COCO, COCO | {"image_id": None}],
    "coco: image a fraction": [COCO, COCO | {"image_id": 0.5}],
    "coco: images far apart": [COCO, COCO | {"image_id": 10**14}],
    "coco: annotations null": annotations(annotations=None),
    "coco: no persons": annotations(annotations=[{"image_id": 0, "bbox": [1, 2, 3, 4]}]),
    "coco: unknown image": annotations(annotations=[COCO | {"image_id": 5}]),
    "coco: image twice": annotations(images=[{"id": 0}, {"id": 0}]),
    "coco: frame twice": annotations(images=[{"id": n, "frame_id": 1} for n in (0, 1)]),
    "coco: negative size": annotations(images=[{"id": 0, "width": -9, "height": 9}]),
    "coco: size text": annotations(images=[{"id": 0, "width": "a", "height": 9}]),
    "coco: images an object": annotations(images={}),
    "mmpose: instances null": [{"frame_id": 0, "instances": None}],
    "mmpose: frame twice": [{"frame_id": 0, "instances": [MMPOSE]}] * 2,
    "mmpose: frame text": [{"frame_id": "a", "instances": [MMPOSE]}],
    "mmpose: frame negative": [{"frame_id": -1, "instances": [MMPOSE]}],
    "mmpose: no instances": [{"frame_id": 0, "instances": [MMPOSE]}, {"frame_id": 1}],
    "mmpose: scores too few": [{"instances": [MMPOSE | {"keypoint_scores": [1.0]}]}],
    "mmpose: no scores": [{"instances": [MMPOSE | {"keypoint_scores": []}]}],
    "mmpose: ragged": [{"instances": [MMPOSE | {"keypoints": [[1, 2], [3]]}]}],
    "mmpose: flat": [{"instances": [MMPOSE | {"keypoints": [1.0] * 52}]}],
    "mmpose: info null": {"instance_info": None},
    "mediapipe: no size": {"frames": [{"pose_landmarks": LANDMARKS}]},
    "mediapipe: zero size": mediapipe(width=0),
    "mediapipe: NaN size": mediapipe(width=float("nan")),
    "mediapipe: fps zero": mediapipe(fps=0),
    "mediapipe: fps next to zero": mediapipe(fps=1e-320),
    "mediapipe: fps text": mediapipe(fps="30"),
    "mediapipe: fps negative": mediapipe(fps=-30),
    "mediapipe: 32 landmarks": mediapipe(LANDMARKS[:-1]),
    "mediapipe: pixels": mediapipe([{"x": 300, "y": 200}] * 33),
    "mediapipe: no y": mediapipe([{"x": 0.5}] * 33),
    "mediapipe: numbers": mediapipe([1, 2, 3]),
    "mediapipe: text": mediapipe("abc"),
    "mediapipe: nobody": mediapipe(None),
    "mediapipe: frame null": mediapipe(frames=[{"pose_landmarks": None}, None]),
    "ultralytics: lengths": [YOLO | {"keypoints": {"x": [1.0, 2], "y": [1.0]}}],
    "ultralytics: y empty": [YOLO | {"keypoints": {"x": [1.0], "y": []}}],
    "ultralytics: x null": [YOLO | {"keypoints": {"x": None, "y": [1.0]}}],
    "ultralytics: frame a number": [[YOLO], 3],
    "ultralytics: broken text": ['[{"keypoints": '],
    "ultralytics: keypoints a list": [[YOLO, {"keypoints": [1, 2]}]],
    "ultralytics: normalised": [YOLO],
}

ARCHIVES: dict[str, Any] = {
    "empty": b"",
    "text": b"hello",
    "cut off": zipped(keypoints__npy=npy("{}"))[:-30],
    "only the signature": b"PK\x03\x04",
    "no members": zipped(),
    "no arrays": zipped(readme__txt=b"hello"),
    "member is text": zipped(keypoints__npy=b"hello"),
    "member is empty": zipped(keypoints__npy=b""),
    "header not closed": zipped(keypoints__npy=npy("{'descr': '<f4', ")),
    "header runs code": zipped(keypoints__npy=npy("__import__('os')")),
    "unknown version": zipped(keypoints__npy=b"\x93NUMPY\x09\x00" + bytes(20)),
    "data cut off": zipped(
        keypoints__npy=npy(
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 17, 2)}\n", b"1234"
        )
    ),
    "enormous shape": zipped(
        keypoints__npy=npy(
            "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 17, 2)}\n", b"1234"
        )
    ),
    "negative shape": zipped(
        keypoints__npy=npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 17, 2)}\n")
    ),
    "pickle in the member": zipped(
        keypoints__npy=npy(
            "{'descr': '|O', 'fortran_order': False, 'shape': ()}\n", pickle.dumps(Evil(), 2)
        )
    ),
    "broken pickle": zipped(
        keypoints__npy=npy("{'descr': '|O', 'fortran_order': False, 'shape': ()}\n", b"\x80\x02}q")
    ),
    "a bare array": npy("{'descr': '<f4', 'fortran_order': False, 'shape': ()}\n", b"1234"),
    "a pickle": pickle.dumps({"keypoints": 1}),
    "unknown arrays": {"x": KEYPOINTS},
    "no layout": {"keypoints": KEYPOINTS},
    "unknown layout": {"keypoints": KEYPOINTS, "layout": "coco-71"},
    "layout a number": {"keypoints": KEYPOINTS, "layout": 17},
    "layout of another size": {"keypoints": KEYPOINTS, "layout": "mediapipe-33"},
    "two dimensions": {"keypoints": KEYPOINTS[0], "layout": "coco-17"},
    "three columns": {"keypoints": np.ones((3, 17, 3)), "layout": "coco-17"},
    "no frames": {"keypoints": KEYPOINTS[:0], "layout": "coco-17"},
    "no persons": {"keypoints": np.ones((0, 3, 17, 2)), "layout": "coco-17"},
    "all absent": {"keypoints": KEYPOINTS * np.nan, "layout": "coco-17"},
    "infinite": {"keypoints": KEYPOINTS * np.inf, "layout": "coco-17"},
    "complex": {"keypoints": KEYPOINTS * 1j, "layout": "coco-17"},
    "text array": {"keypoints": KEYPOINTS.astype(str), "layout": "coco-17"},
    "object array": {"keypoints": KEYPOINTS.astype(object), "layout": "coco-17"},
    "structured array": {
        "keypoints": np.zeros((3, 17, 2), dtype=[("x", "f4")]),
        "layout": "coco-17",
    },
    "evil array": {"keypoints": objects(Evil()), "layout": "coco-17"},
    "scores of another shape": {
        "keypoints": KEYPOINTS,
        "layout": "coco-17",
        "scores": np.ones((3, 16)),
    },
    "times do not increase": {"keypoints": KEYPOINTS, "layout": "coco-17", "times": [0.0, 2, 1]},
    "times go down": {"keypoints": KEYPOINTS, "layout": "coco-17", "times": [2.0, 1, 0]},
    "times NaN": {"keypoints": KEYPOINTS, "layout": "coco-17", "times": [0, np.nan, 1]},
    "times too few": {"keypoints": KEYPOINTS, "layout": "coco-17", "times": [0.0, 1]},
    "fps zero": {"keypoints": KEYPOINTS, "layout": "coco-17", "fps": 0.0},
    "fps next to zero": {"keypoints": KEYPOINTS, "layout": "coco-17", "fps": 1e-320},
    "fps huge": {"keypoints": KEYPOINTS, "layout": "coco-17", "fps": 1e300},
    "times next to one another": {
        "keypoints": KEYPOINTS,
        "layout": "coco-17",
        "times": np.arange(3) * 1e-320,
    },
    "times infinite": {"keypoints": KEYPOINTS, "layout": "coco-17", "times": [0, 1, np.inf]},
    "fps NaN": {"keypoints": KEYPOINTS, "layout": "coco-17", "fps": np.nan},
    "fps text": {"keypoints": KEYPOINTS, "layout": "coco-17", "fps": "a"},
    "fps two": {"keypoints": KEYPOINTS, "layout": "coco-17", "fps": [25.0, 30.0]},
    "width negative": {"keypoints": KEYPOINTS, "layout": "coco-17", "width": -1, "height": 9},
    "height infinite": {"keypoints": KEYPOINTS, "layout": "coco-17", "width": 1, "height": np.inf},
    "ids twice": {"keypoints": np.ones((2, 3, 17, 2)), "layout": "coco-17", "track_ids": [1, 1]},
    "ids text": {"keypoints": KEYPOINTS, "layout": "coco-17", "track_ids": ["a"]},
    "ids fractions": {"keypoints": KEYPOINTS, "layout": "coco-17", "track_ids": [0.5]},
    "mediapipe: shape": {"landmarks_px": PX[:, :32]},
    "mediapipe: visibility": {"landmarks_px": PX, "visibility": np.ones((3, 32))},
    "mediapipe: frames twice": {"landmarks_px": PX, "frame": [1, 1, 2]},
    "mediapipe: frames negative": {"landmarks_px": PX, "frame": [-1, 1, 2]},
    "mediapipe: frames NaN": {"landmarks_px": PX, "frame": [np.nan, 1, 2]},
    "mediapipe: nobody": {"landmarks_px": PX * np.nan},
    "mediapipe: two prefixes": {"a_landmarks_px": PX, "b_landmarks_px": PX},
    "mediapipe: fps": {"landmarks_px": PX, "fps": -1},
    "videopose3d: no layout": videopose(),
    "videopose3d: plain array": videopose(positions_2d=KEYPOINTS),
    "videopose3d: no videos": videopose(positions_2d=objects({})),
    "videopose3d: no actions": videopose(positions_2d=objects({"v": 3})),
    "videopose3d: no cameras": videopose(positions_2d=objects({"v": {"custom": []}})),
    "videopose3d: camera text": videopose(positions_2d=objects({"v": {"custom": ["a"]}})),
    "videopose3d: camera shape": videopose(positions_2d=objects({"v": {"custom": [KEYPOINTS[0]]}})),
    "videopose3d: odd pairs": videopose(metadata=objects({"keypoints_symmetry": [["a"], [1]]})),
    "videopose3d: size": videopose(
        metadata=objects({"layout_name": "coco", "video_metadata": {"v": {"w": 0, "h": 9}}})
    ),
    "videopose3d: evil": videopose(metadata=objects(Evil())),
    "detectron: no classes": {"boxes": objects(1), "keypoints": np.array([None, 1], dtype=object)},
    "detectron: not a list": {"boxes": objects(1), "keypoints": objects({"a": 1})},
}


def one_line(error: pytest.ExceptionInfo[PoseliftError], name: str) -> None:
    message = str(error.value)
    assert "\n" not in message
    assert name in message


@pytest.mark.parametrize("name", JSON)
def test_json(write: Write, name: str) -> None:
    path = write("bad.json", JSON[name])
    with pytest.raises((DataError, UsageError)) as error:
        read(path)
    one_line(error, "bad.json")


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives(write: Write, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    content = ARCHIVES[name]
    path = write("bad.npz", content)
    with pytest.raises((DataError, UsageError)) as error:
        read(path)
    one_line(error, "bad.npz")
    assert "this must not run" not in capsys.readouterr().out


FOLDERS: dict[str, dict[str, Any]] = {
    "empty": {},
    "no JSON": {"a.txt": "x"},
    "a broken file in the middle": {"a_0.json": FRAME, "a_1.json": '{"people": ['},
    "no numbers": {"a.json": FRAME, "b.json": FRAME},
    "two videos": {"a_0.json": FRAME, "b_1.json": FRAME},
    "two videos, same numbers": {"a_0.json": FRAME, "b_0.json": FRAME},
    "same number twice": {"a_1.json": FRAME, "a_01.json": FRAME},
    "two tools": {"a_0.json": FRAME, "a_1.json": [MMPOSE]},
    "unknown form": {"a_0.json": {"x": 1}, "a_1.json": {"x": 1}},
    "nobody in lists": {"a_0.json": [], "a_1.json": []},
    "nobody in frames": {"a_0.json": people(), "a_1.json": people()},
    "mixed joints": {"a_0.json": FRAME, "a_1.json": people(flat(person(18)))},
    "frames far apart": {"a_0.json": FRAME, "a_99999999.json": FRAME},
    "a folder named as a file": {"a_0.json": FRAME, "a_1.json/x.json": FRAME},
}


@pytest.mark.parametrize("name", FOLDERS)
def test_folders(write: Write, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "badfolder"
    folder.mkdir()
    for file, content in FOLDERS[name].items():
        write(f"badfolder/{file}", content)
    with pytest.raises(DataError) as error:
        read(folder)
    one_line(error, "badfolder")


@pytest.mark.parametrize("path", ["nowhere.json", "a\0b.json", "x" * 5000, ""])
def test_paths(tmp_path: Path, path: str) -> None:
    with pytest.raises(DataError):
        read(str(tmp_path / path) if path else tmp_path)


def test_other_things_for_a_path() -> None:
    with pytest.raises(DataError, match="not a path"):
        read(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arguments",
    [
        {"layout": "coco"},
        {"layout": ""},
        {"fps": 0},
        {"fps": -25},
        {"fps": 1e-4},
        {"fps": 1e6},
        {"fps": float("nan")},
        {"fps": float("inf")},
        {"fps": "30"},
        {"fps": True},
        {"image_size": (0, 480)},
        {"image_size": (640,)},
        {"image_size": (640, float("nan"))},
        {"image_size": "640x480"},
        {"image_size": 640},
        {"source": "vicon"},
    ],
    ids=str,
)
def test_arguments(write: Write, arguments: dict[str, Any]) -> None:
    path = write("a_0.json", FRAME)
    assert read(path).num_frames == 1
    with pytest.raises(UsageError):
        read(path, **arguments)


@pytest.mark.parametrize("source", [s for s in SOURCES if s != "openpose"])
def test_named_source_that_it_is_not(write: Write, source: str) -> None:
    path = write("a_0.json", FRAME)
    assert read(path, source="openpose").num_frames == 1
    with pytest.raises(DataError, match=f"not of the form of {source}"):
        read(path, source=source)


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("v.mp4", b"broken"),
        ("v.MOV", b""),
        ("v", b"\0\0\0\x18ftypmp42"),
        ("v", b"\x1aE\xdf\xa3"),
        ("v", b"RIFF\0\0\0\0AVI LIST"),
    ],
)
def test_video(write: Write, name: str, start: bytes) -> None:
    with pytest.raises(DataError, match=rf"{name}: a video; expected keypoints"):
        read(write(name, start))


def test_layout_of_another_size(write: Write) -> None:
    with pytest.raises(DataError, match="25 joints; expected 17 for layout coco-17"):
        read(write("a_0.json", FRAME), "coco-17")


@pytest.mark.parametrize("name", ["videopose3d: no layout", "unknown arrays", "cut off"])
def test_read_all(write: Write, name: str) -> None:
    with pytest.raises(DataError, match=r"bad\.npz"):
        read_all(write("bad.npz", ARCHIVES[name]))


@pytest.mark.parametrize("form", ["plain", "videopose3d"])
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(noise=st.binary(min_size=1, max_size=8), at=st.floats(0, 1))
def test_damaged_archive(write: Write, form: str, noise: bytes, at: float) -> None:
    """Bytes overwritten anywhere: an error of ours, or a pose where it did not matter."""
    whole = {"keypoints": KEYPOINTS, "layout": "coco-17"}
    if form == "videopose3d":
        whole = videopose(metadata=objects({"layout_name": "coco"}))
    data = bytearray(write("bad.npz", whole).read_bytes())
    start = int(at * len(data))
    data[start : start + len(noise)] = noise
    try:
        message = read(write("bad.npz", bytes(data))).source
    except PoseliftError as error:
        message = str(error)
    assert "bad.npz" in message


def _mutations() -> st.SearchStrategy[Any]:
    leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
    return st.recursive(
        leaf,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    )


SEEDS: list[Callable[[Any], Any]] = [
    lambda v: people(v),
    lambda v: {"people": v},
    lambda v: [ALPHA | {"image_id": v}, ALPHA],
    lambda v: [ALPHA | {"idx": v}],
    lambda v: [COCO, COCO | {"image_id": v}],
    lambda v: annotations(images=[{"id": 0, "width": v, "height": 5}]),
    lambda v: annotations(categories=v),
    lambda v: [{"frame_id": v, "instances": [MMPOSE]}],
    lambda v: [{"frame_id": 0, "instances": [MMPOSE | {"keypoints": v}]}],
    lambda v: {"meta_info": v, "instance_info": [{"frame_id": 0, "instances": [MMPOSE]}]},
    lambda v: mediapipe(v),
    lambda v: mediapipe([{"x": v, "y": 0.5}] * 33),
    lambda v: mediapipe(fps=v),
    lambda v: [[YOLO | {"keypoints": v}], [YOLO]],
    lambda v: [YOLO | {"track_id": v}],
    lambda v: v,
]


@pytest.mark.parametrize("seed", range(len(SEEDS)))
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=_mutations())
def test_anything_in_a_field(write: Write, seed: int, value: Any) -> None:
    """Whatever stands in a field, reading gives a pose or an error of ours."""
    path = write("bad.json", json.dumps(SEEDS[seed](value)))
    try:
        pose: Any = read(path)
    except PoseliftError as error:
        pose = str(error)
    if isinstance(pose, str):
        assert "bad.json" in pose
        assert "\n" not in pose
    else:
        assert np.isfinite(pose.keypoints).any()
