"""MediaPipe: both APIs, JSON, and the archives with BlazePose's landmarks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from keypoint_examples import Write

from poselift.errors import DataError, UsageError
from poselift.keypoints import from_mediapipe, read

SIZE = (640, 480)


def landmarks(shift: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(2)
    return np.column_stack([rng.uniform(0.2, 0.6, size=(33, 2)) + shift, rng.uniform(size=(33, 2))])


def objects(array: np.ndarray) -> list[SimpleNamespace]:
    return [SimpleNamespace(x=r[0], y=r[1], z=r[2], visibility=r[3]) for r in array]


def json_landmarks(array: np.ndarray) -> list[dict]:
    return [{"x": r[0], "y": r[1], "z": r[2], "visibility": r[3]} for r in array]


def check(pose: object, frames: int = 3) -> None:
    assert pose.skeleton.name == "mediapipe-33"
    assert pose.num_frames == frames
    np.testing.assert_allclose(pose.keypoints[0, 0], landmarks()[:, :2] * SIZE, rtol=1e-5)
    np.testing.assert_allclose(pose.scores[0, 0], landmarks()[:, 3], rtol=1e-5)


def test_solutions_results() -> None:
    one = SimpleNamespace(pose_landmarks=SimpleNamespace(landmark=objects(landmarks())))
    none = SimpleNamespace(pose_landmarks=None)
    pose = from_mediapipe([one, none, one], SIZE, fps=25)
    check(pose)
    assert np.isnan(pose.keypoints[0, 1]).all()
    assert pose.image_size == SIZE


def test_landmarker_results_with_two_persons() -> None:
    pair = [objects(landmarks()), objects(landmarks(0.4))]
    pose = from_mediapipe([SimpleNamespace(pose_landmarks=pair)] * 3, SIZE)
    check(pose)
    assert pose.num_persons == 2


def test_arrays() -> None:
    check(from_mediapipe([landmarks()] * 3, SIZE))
    check(from_mediapipe(np.stack([landmarks()] * 3)[:, None], SIZE))


def test_size_is_needed() -> None:
    with pytest.raises(UsageError, match="image_size"):
        from_mediapipe([landmarks()], None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [None],
        [3],
        ["ab"],
        [landmarks()[:32]],
        [landmarks()[:, :1]],
        [landmarks() * 500],
        [SimpleNamespace(pose_landmarks=[objects(landmarks()), objects(landmarks()[:5])])],
    ],
)
def test_other_forms(frames: list) -> None:
    with pytest.raises(DataError):
        from_mediapipe(frames, SIZE)


def test_json(write: Write) -> None:
    frames = [{"pose_landmarks": json_landmarks(landmarks())}, {"pose_landmarks": None}]
    frames += [{"pose_landmarks": [json_landmarks(landmarks())]}]
    pose = read(write("m.json", {"width": 640, "height": 480, "fps": 24, "frames": frames}))
    check(pose)
    assert pose.fps == 24
    check(read(write("m.json", frames), image_size=SIZE))
    with pytest.raises(DataError, match="width and height"):
        read(write("m.json", frames))


def archive(prefix: str = "", **more: object) -> dict:
    return {
        f"{prefix}landmarks_px": np.tile(landmarks()[:, :2] * SIZE, (3, 1, 1)),
        f"{prefix}visibility": np.tile(landmarks()[:, 3], (3, 1)),
        "fps": 25.0,
        "width": 640,
        "height": 480,
    } | more


@pytest.mark.parametrize("prefix", ["", "tracking_", "static_"])
def test_archive(write: Write, prefix: str) -> None:
    pose = read(write("b.npz", archive(prefix)))
    check(pose)
    assert (pose.fps, pose.image_size) == (25, SIZE)


def test_tracking_comes_before_static(write: Write) -> None:
    both = archive("static_") | archive("tracking_", tracking_frame=np.array([4, 5, 9]))
    assert read(write("b.npz", both)).num_frames == 6


def test_stored_blazepose(shared: Path) -> None:
    pose = read(shared / "golden/blazepose/sports2d_demo.npz")
    assert pose.keypoints.shape == (3, 230, 33, 2)
    assert (pose.fps, pose.image_size) == (30, (1768, 994))
    # A man, a woman, and a man nearer to the camera, one after the other.
    seen = [np.flatnonzero(np.isfinite(person[:, 0, 0])) for person in pose.keypoints]
    assert [(frames[0], frames[-1], len(frames)) for frames in seen] == [
        (3, 168, 166),
        (170, 200, 31),
        (202, 226, 25),
    ]


def test_archive_of_one_person_after_another(write: Write) -> None:
    pixels = np.tile(landmarks()[:, :2] * SIZE, (9, 1, 1))
    pixels[4:6] = np.nan  # nobody
    pixels[8] = pixels[8] * 2 + 300
    pose = read(write("b.npz", {"landmarks_px": pixels}))
    seen = np.isfinite(pose.keypoints[:, :, 0, 0])
    assert [np.flatnonzero(person).tolist() for person in seen] == [[0, 1, 2, 3, 6, 7], [8]]
