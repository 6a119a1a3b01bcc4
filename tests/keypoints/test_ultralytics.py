"""Ultralytics results and their JSON."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from keypoint_examples import Write, person

from poselift.errors import DataError
from poselift.keypoints import from_ultralytics, read


def found(x: float = 300, **more: object) -> dict:
    joints = person(17, x)
    joints[2] = (0, 0, 0.3)
    keys = {
        "x": joints[:, 0].tolist(),
        "y": joints[:, 1].tolist(),
        "visible": joints[:, 2].tolist(),
    }
    return {"name": "person", "class": 0, "confidence": 0.9, "box": {}, "keypoints": keys} | more


def test_list_of_frames_parsed_or_as_text(write: Write) -> None:
    frames = [[], [found()], [found(302), {"name": "dog", "class": 16}]]
    for data in (frames, [json.dumps(frame) for frame in frames]):
        pose = read(write("u.json", data))
        assert (pose.skeleton.name, pose.num_frames, pose.num_persons) == ("coco-17", 3, 1)
        assert np.isnan(pose.keypoints[0, 0]).all()
        assert np.isnan(pose.keypoints[0, 1, 2]).all()
        assert np.isfinite(pose.keypoints[0, 1, 3]).all()


def test_folder_and_single_frame(write: Write) -> None:
    for n in range(2):
        path = write(f"u/frame_{n}.json", [found(track_id=3)])
    assert read(path.parent).track_ids.tolist() == [3]
    assert read(path).num_frames == 1


def result(*people: np.ndarray, ids: list[int] | None = None) -> SimpleNamespace:
    data = np.stack(people) if people else np.zeros((0, 17, 3))
    tensor = SimpleNamespace(cpu=lambda: SimpleNamespace(numpy=lambda: data))
    boxes = SimpleNamespace(id=None if ids is None else np.array(ids, dtype=float))
    return SimpleNamespace(
        keypoints=SimpleNamespace(data=tensor), boxes=boxes, orig_shape=(480, 640)
    )


def test_objects() -> None:
    pose = from_ultralytics(
        [result(person(), ids=[7]), result(), result(person(), ids=[7])], fps=25
    )
    assert (pose.num_frames, pose.image_size) == (3, (640, 480))
    assert pose.track_ids.tolist() == [7]


def test_source_says_how_many_had_no_id() -> None:
    def source(*ids: list[int] | None) -> str:
        return from_ultralytics([result(person(), ids=i) for i in ids], fps=25).source

    assert "1 of 3 detections without an id of their own" in source([7], None, [7])
    assert "without an id" not in source([7], [7], [7]) + source(None, None, None)


def test_objects_without_keypoints() -> None:
    with pytest.raises(DataError, match="results of a pose model"):
        from_ultralytics([SimpleNamespace(keypoints=None)])
