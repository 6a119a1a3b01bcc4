from __future__ import annotations

import gc
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from poselift.errors import CheckpointError, DataError, UsageError
from poselift.layouts import COCO_17
from poselift.poses import Pose2D, Pose3D
from poselift.runtime.lifter import Lifter
from poselift.runtime.streaming import StreamingLifter

SIZE = (1000, 1000)
Make = Callable[..., tuple[Path, Any]]


def source(frames: int, fps: float, persons: int = 2, gaps: bool = True) -> Pose2D:
    rng = np.random.default_rng(frames)
    times = np.arange(frames) / fps
    start = rng.uniform(200, 800, size=(persons, 1, 17, 2))
    keypoints = start + 100 * np.sin(3 * times[:, None, None] + start)
    if gaps:
        keypoints[rng.random(keypoints.shape[:3]) < 0.1] = np.nan
        keypoints[-1, : frames // 3] = np.nan  # the last person comes later
        keypoints[0, frames // 2] = np.nan  # the first one is gone for a frame
    return Pose2D(keypoints, fps=fps, times=times, image_size=SIZE)


def stream(lifter: StreamingLifter, pose: Pose2D, with_times: bool = True) -> list[Pose3D | None]:
    return [
        lifter.push(
            pose.keypoints[:, t], pose.scores[:, t], float(pose.times[t]) if with_times else None
        )
        for t in range(pose.num_frames)
    ]


def joined(frames: list[Pose3D | None], field: str = "joints") -> np.ndarray:
    return np.concatenate([getattr(frame, field) for frame in frames if frame], axis=1)


def assert_equal(frames: list[Pose3D | None], offline: Pose3D) -> None:
    for field in ("joints", "keypoints", "scores"):
        expected = getattr(offline, field)
        assert np.allclose(joined(frames, field), expected, rtol=0, atol=1e-5, equal_nan=True)
    # Metres in front of the camera, from joints that differ by a millionth.
    assert np.allclose(joined(frames, "root"), offline.root, rtol=1e-3, equal_nan=True)
    assert np.allclose([frame.times[0] for frame in frames if frame], offline.times)


@pytest.mark.parametrize("fps", [10, 25, 29.97, 50, 60, 120])
@pytest.mark.parametrize("frames", [1, 5, 70])
def test_equals_offline(tiny_causal: Path, fps: float, frames: int) -> None:
    pose = source(frames, fps)
    offline = Lifter(tiny_causal).lift(pose)
    lifter = StreamingLifter(tiny_causal, fps=fps, image_size=SIZE)
    assert_equal(stream(lifter, pose), offline)
    lifter.reset()
    assert_equal(stream(lifter, pose, with_times=False), offline)


def test_equals_offline_with_variable_frame_times(tiny_causal: Path) -> None:
    times = np.cumsum(np.random.default_rng(0).uniform(0.002, 0.1, size=80))
    pose = replace(source(80, 30), times=times)
    lifter = StreamingLifter(tiny_causal, fps=30, image_size=SIZE)
    assert_equal(stream(lifter, pose), Lifter(tiny_causal).lift(pose))


def test_equals_offline_where_the_image_size_is_guessed(tiny_causal: Path) -> None:
    pose = replace(source(20, 50, gaps=False), image_size=None)
    lifter = StreamingLifter(tiny_causal)
    frames = stream(lifter, pose)
    assert_equal(frames, Lifter(tiny_causal).lift(pose))
    assert frames[0] is not None
    assert frames[0].meta["image_size_assumed"]


def test_single_frame_network(tiny_single: Path) -> None:
    pose = source(12, 30, gaps=False)
    lifter = StreamingLifter(tiny_single, backend="torch", fps=30, image_size=SIZE)
    assert_equal(stream(lifter, pose), Lifter(tiny_single, "torch").lift(pose))


@pytest.mark.parametrize("fps", [25, 50, 100])
@pytest.mark.parametrize("target", ["centre", "newest"])
@pytest.mark.parametrize("look_ahead", [0, 1, 2])
def test_look_ahead_gives_the_right_frame_late(
    oracle: Make, fps: float, target: str, look_ahead: int
) -> None:
    folder, _ = oracle(window=27, num_out=9, target=target)
    pose = source(50, fps, gaps=False)
    lifter = StreamingLifter(folder, look_ahead, fps=fps, image_size=SIZE)
    frames = stream(lifter, pose)
    assert lifter.latency_frames == look_ahead
    assert [frame is None for frame in frames] == [t < look_ahead for t in range(50)]
    for t, frame in enumerate(frames[look_ahead:]):
        assert frame is not None
        assert frame.times[0] == pose.times[t]
        screen = pose.keypoints[:, t] / 500 - 1
        assert np.allclose(frame.joints[:, 0, :, :2], screen - screen[:, :1], atol=1e-5)
        assert np.array_equal(frame.keypoints[:, 0], pose.keypoints[:, t])


@pytest.mark.parametrize("look_ahead", [0, 2])
@pytest.mark.parametrize("frames", [1, 2, 30])
def test_the_end_of_a_clip_does_not_wait(tiny_causal: Path, look_ahead: int, frames: int) -> None:
    pose = source(frames, 50, gaps=frames > 2)
    lifter = StreamingLifter(tiny_causal, look_ahead, image_size=SIZE)
    assert lifter.flush() == []
    for _ in range(2):  # what comes after it is another clip
        poses = [*stream(lifter, pose, with_times=False), *lifter.flush()]
        assert np.allclose([p.times[0] for p in poses if p], np.arange(frames) / 50)
        still = StreamingLifter(tiny_causal, look_ahead, image_size=SIZE)
        stream(still, pose, with_times=False)
        for t in range(look_ahead):
            shown = still.push(pose.keypoints[:, -1], pose.scores[:, -1])
            if shown is not None:
                late = poses[t - look_ahead]
                assert late is not None
                np.testing.assert_array_equal(late.joints, shown.joints)


def test_full_look_ahead_equals_the_middle_of_the_window(tiny: Path) -> None:
    pose = source(40, 50, persons=1, gaps=False)
    lifter = StreamingLifter(tiny, 4, backend="torch", image_size=SIZE)
    frames = stream(lifter, pose)
    from poselift.data.windows import plan_windows

    windows = plan_windows(40, 9, 1, 1, "centre").inputs
    network = Lifter(tiny, "torch")._network
    expected = network(pose.keypoints[0][windows], SIZE)[:, 1]
    assert np.abs(joined(frames)[0] - expected[: 40 - 4]).max() < 1e-5


def test_more_is_known_with_look_ahead(tiny_causal: Path) -> None:
    pose = source(40, 50, persons=1, gaps=False)
    results = []
    for look_ahead in (0, 1, 2):
        lifter = StreamingLifter(tiny_causal, look_ahead, image_size=SIZE)
        results.append(joined(stream(lifter, pose))[0, :30])
    # Each uses another of the window's predictions.
    assert np.abs(results[0] - results[1]).max() > 1e-3
    assert np.abs(results[1] - results[2]).max() > 1e-3


def test_bad_look_ahead(tiny: Path, tiny_causal: Path, tiny_single: Path) -> None:
    for folder, backend, most in (
        (tiny, "torch", 4),
        (tiny_causal, "onnxruntime", 2),
        (tiny_single, "torch", 0),
    ):
        StreamingLifter(folder, most, backend=backend)
        for wrong in (-1, most + 1, 0.5, "1", None, True):
            with pytest.raises(UsageError, match="look_ahead"):
                StreamingLifter(folder, wrong, backend=backend)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        {"fps": 0},
        {"fps": float("nan")},
        {"fps": "fast"},
        {"image_size": (0, 5)},
        {"image_size": 5},
        {"image_size": "ab"},
        {"layout": "coco"},
        {"variant": "mmpose"},
        {"focal": 0},
        {"threads": 0},
        {"backend": "gpu"},
        {"model": "unknown"},
    ],
)
def test_bad_options(tiny_causal: Path, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        StreamingLifter(**{"model": tiny_causal, **options})


def test_refuses_a_network_that_predicts_no_metres(tiny_single: Path, tmp_path: Path) -> None:
    folder = tmp_path / "image"
    shutil.copytree(tiny_single, folder)
    about = json.loads((folder / "config.json").read_text())
    StreamingLifter(folder, backend="torch")
    (folder / "config.json").write_text(json.dumps(about | {"unit": "half_widths"}))
    with pytest.raises(CheckpointError, match="predicts half_widths"):
        StreamingLifter(folder, backend="torch")


def test_a_bad_frame_changes_nothing(tiny_causal: Path) -> None:
    pose = source(20, 50, gaps=False)
    lifter = StreamingLifter(tiny_causal, image_size=SIZE)
    frames: list[Pose3D | None] = []
    for t in range(20):
        frames += stream(
            lifter,
            replace(
                pose,
                keypoints=pose.keypoints[:, t : t + 1],
                scores=None,
                times=pose.times[t : t + 1],
            ),
        )
        good = pose.keypoints[:, t]
        for wrong, time in (
            (good[:, :16], 9.0),
            (good[:1], 9.0),
            (np.full_like(good, np.inf), 9.0),
            ("pose", 9.0),
            ([[1, 2], [3]], 9.0),
            (good, float(pose.times[t])),
            (good, float("nan")),
            (good, "soon"),
        ):
            with pytest.raises(DataError):
                lifter.push(wrong, time=time)  # type: ignore[arg-type]  # on purpose
        with pytest.raises(DataError):
            lifter.push(good, scores=np.ones(3))
    assert_equal(frames, Lifter(tiny_causal).lift(pose))


def test_frames_before_anyone_is_there(tiny_causal: Path) -> None:
    lifter = StreamingLifter(tiny_causal)
    nobody = lifter.push(np.full((17, 2), np.nan))
    assert nobody is not None
    assert np.isnan(nobody.joints).all()
    somebody = lifter.push(source(1, 50, 1, gaps=False).keypoints[0, 0])
    assert somebody is not None
    assert np.isfinite(somebody.joints).all()
    assert somebody.meta["image_size"] == [1280, 720] or somebody.meta["image_size_assumed"]


def test_other_layouts(tiny_causal: Path) -> None:
    keypoints = np.random.default_rng(0).uniform(0, 600, size=(12, 17, 2))
    pose = Pose2D(keypoints, skeleton=COCO_17, fps=50, image_size=SIZE)
    lifter = StreamingLifter(tiny_causal, layout="coco-17", variant="mmpose", image_size=SIZE)
    frames: list[Pose3D | None] = [lifter.push(frame) for frame in keypoints]
    assert_equal(frames, Lifter(tiny_causal).lift(pose, variant="mmpose"))


def test_memory_stays(tiny_causal: Path) -> None:
    pose = source(200, 50, 1, gaps=False)
    lifter = StreamingLifter(tiny_causal, image_size=SIZE)
    stream(lifter, pose)
    assert lifter._buffer is not None
    arrays = {name: id(array) for name, array in lifter._buffer._arrays.items()}
    assert len(lifter._buffer._arrays["times"]) < 30
    stream(lifter, replace(pose, times=pose.times + 100))
    assert {name: id(array) for name, array in lifter._buffer._arrays.items()} == arrays


def test_a_source_faster_than_it_said(tiny_causal: Path) -> None:
    pose = source(300, 500, 1)
    lifter = StreamingLifter(tiny_causal, fps=50, image_size=SIZE)
    assert_equal(stream(lifter, pose), Lifter(tiny_causal).lift(pose))
    assert lifter._buffer is not None
    assert len(lifter._buffer._arrays["times"]) < 400


def test_a_place_goes_to_another_person(tiny_causal: Path) -> None:
    pose = source(30, 50, 2, gaps=False)
    lifter = StreamingLifter(tiny_causal, image_size=SIZE)
    with pytest.raises(UsageError, match="person 0"):
        lifter.forget(0)
    stream(lifter, pose)
    lifter.forget(1)
    with pytest.raises(UsageError, match="person 2"):
        lifter.forget(2)
    newcomer = pose.keypoints[:, 7].copy()
    newcomer[1] += 50
    found = lifter.push(newcomer)
    fresh = StreamingLifter(tiny_causal, image_size=SIZE).push(newcomer)
    assert found is not None
    assert fresh is not None
    # As if they had never met, while the other person has a past.
    np.testing.assert_allclose(found.joints[1], fresh.joints[1], atol=1e-5)
    assert np.abs(found.joints[0] - fresh.joints[0]).max() > 1e-3


def test_memory_does_not_grow(tiny_causal: Path) -> None:
    import tracemalloc

    pose = source(60, 50, 2, gaps=False)
    lifter = StreamingLifter(tiny_causal, image_size=SIZE)
    stream(lifter, pose, with_times=False)
    used = []
    tracemalloc.start()
    try:
        # numpy's own store of small blocks is seen only as it is used again, so it seems to grow.
        for rounds in (3, 10):
            for _ in range(rounds):
                for t in range(60):
                    lifter.push(pose.keypoints[:, t])
            gc.collect()
            used.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    # The smallest array for each of the 600 frames would be 67 kB.
    assert used[1] - used[0] < 30_000
