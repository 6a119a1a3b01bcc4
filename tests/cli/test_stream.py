from __future__ import annotations

import io
import json
import re
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from poselift import StreamingLifter, detect
from poselift.cli import stream as module
from poselift.detect import camera as cameras
from poselift.export.onnx import export_onnx
from poselift.layouts import get_layout


@pytest.fixture(scope="module")
def graph(tmp_path_factory, checkpoint):
    path = tmp_path_factory.mktemp("graph") / "tiny.onnx"
    export_onnx(checkpoint, path, weights="float32")
    return path


@pytest.fixture
def stream(monkeypatch, command, graph):
    """Run ``poselift stream`` on lines."""

    def run(lines, *options):
        raw = b"".join(
            line
            if isinstance(line, bytes)
            else json.dumps(line, ensure_ascii=False).encode() + b"\n"
            for line in lines
        )
        # The text layer has the system's encoding, which must not matter.
        stdin = io.TextIOWrapper(io.BytesIO(raw), encoding="ascii", errors="strict")
        monkeypatch.setattr(sys, "stdin", stdin)
        return command("stream", "--model", graph, *options)

    return run


def poses(done):
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_same_as_the_lifter(stream, walk, graph):
    lines = [{"keypoints": frame.tolist()} for frame in walk.keypoints[0]]
    done = stream(lines, "--fps", 30, "--size", "1000x1000")
    lifter = StreamingLifter(graph, fps=30, image_size=(1000, 1000))
    for line, frame in zip(poses(done), walk.keypoints[0], strict=True):
        pose = lifter.push(frame)
        (person,) = line["persons"]
        np.testing.assert_allclose(person["joints"], pose.joints[0, 0], atol=6e-5)
        if person["root"] is None:  # joints of random weights fit nowhere
            assert not np.isfinite(pose.root[0, 0]).all()
        else:
            np.testing.assert_allclose(person["root"], pose.root[0, 0], atol=6e-4)
        assert line["time"] == pytest.approx(pose.times[0], abs=1e-6)
    assert done.err.count("\n") == 1
    assert f"{len(lines)} frames, latency p50 " in done.err
    assert done.err.endswith("look-ahead 0 frames\n")


def test_absent_joints_times_and_look_ahead(stream, walk):
    frames = [frame.tolist() for frame in walk.keypoints[0][:6]]
    frames[2][13] = None
    frames[3][13] = [None, None]
    lines = [
        {"keypoints": k, "scores": [0.5] * 17, "time": 7 + t / 30} for t, k in enumerate(frames)
    ]
    found = poses(stream([*lines, b"\n"], "--fps", 30, "--size", "1000x1000", "--look-ahead", 2))
    # The last two do not wait for others that never come.
    assert [line["time"] for line in found] == pytest.approx([7 + t / 30 for t in range(6)])
    assert all(len(line["persons"]) == 1 for line in found)


@pytest.mark.parametrize("timed", [True, False])
def test_a_place_is_given_on_after_a_second_of_the_frames(stream, walk, timed):
    """However fast the lines come."""
    frame = walk.keypoints[0][0].tolist()
    lines = [{"keypoints": [frame], "ids": [1 if t < 5 else 2]} for t in range(40)]
    if timed:
        lines = [{**line, "time": t / 16} for t, line in enumerate(lines)]
    for ahead in (0, 1):
        found = poses(stream(lines, "--fps", 16, "--size", "1000x1000", "--look-ahead", ahead))
        ids = [[person["id"] for person in line["persons"]] for line in found]
        assert ids == [[1]] * 5 + [[]] * 15 + [[2]] * 20


def test_frames_that_wait_keep_their_person(stream, walk):
    """Also where they come so slowly that a second is less than the look-ahead."""
    frame = walk.keypoints[0][0].tolist()
    lines = [{"keypoints": [frame], "ids": [1 + t // 3], "time": 1.5 * t} for t in range(6)]
    found = poses(stream(lines, "--size", "1000x1000", "--look-ahead", 2))
    ids = [[person["id"] for person in line["persons"]] for line in found]
    assert ids == [[1]] * 3 + [[]] * 2 + [[2]]


def test_ids_of_any_kind(stream, walk, tmp_path):
    first, second = walk.keypoints[0][0].tolist(), walk.keypoints[0][9].tolist()
    options = ("--persons", 2, "--size", "1000x1000")
    done = stream([{"keypoints": [first, second], "ids": ["José", None]}] * 3, *options)
    assert [[p["id"] for p in line["persons"]] for line in poses(done)] == [["José"]] * 3
    assert done.err.count("a person without an id is left out") == 1
    done = stream([{"keypoints": [first, second], "ids": [4, 4]}], *options)
    assert done.code == 1
    assert "line 1: ValueError: two persons with one id in [4, 4]" in done.err


def test_a_first_joint_or_person_that_is_absent(stream, walk):
    frame = walk.keypoints[0][0].tolist()
    for absent in (None, [None, None]):
        lines = [{"keypoints": [absent, *frame[1:]]}, {"keypoints": [[absent, *frame[1:]]]}]
        found = poses(stream(lines, "--size", "1000x1000"))
        assert [len(line["persons"]) for line in found] == [1, 1]
    for nobody in (None, []):
        line = {"keypoints": [nobody, frame], "ids": [1, 2]}
        (found,) = poses(stream([line], "--size", "1000x1000", "--persons", 2))
        assert [person["id"] for person in found["persons"]] == [2]
    (found,) = poses(stream([{"keypoints": [[None, None]] * 17}], "--size", "1000x1000"))
    assert found["persons"] == []
    lines = [{"keypoints": k, "ids": [7]} for k in (frame, [None] * 17, frame)]
    found = poses(stream(lines, "--size", "1000x1000"))
    assert [len(line["persons"]) for line in found] == [1, 0, 1]


def test_says_which_size_was_assumed(stream):
    layout = get_layout("body-25")
    points = np.full((len(layout), 2), 600.0)
    points[layout.index("left_big_toe")] = 760  # a joint that the network does not read
    lines = [{"keypoints": points.tolist()}] * 2
    done = stream(lines, "--layout", "body-25")
    assert len(poses(done)) == 2
    assert done.err.count("assumed images of 1920 x 1080 by the first joints, see --size") == 1


def test_persons_keep_their_rows(stream, walk):
    first, second = walk.keypoints[0][0], walk.keypoints[0][9]
    lines = [
        {"keypoints": [first.tolist()], "ids": ["ann"], "time": 0.0},
        {"keypoints": [second.tolist(), first.tolist()], "ids": ["ben", "ann"], "time": 0.1},
        {"keypoints": [second.tolist()], "ids": ["cy"], "time": 0.2},  # no row is free
        {"keypoints": [second.tolist()], "ids": ["cy"], "time": 3.0},  # one is
    ]
    found = poses(stream(lines, "--persons", 2, "--size", "1000x1000"))
    names = [{person["id"] for person in line["persons"]} for line in found]
    assert names[0] == {"ann"}
    assert names[1] == {"ann", "ben"}
    assert "cy" not in names[2]
    assert "cy" in names[3]


def test_an_empty_frame_and_none_at_all(stream, walk):
    frame = walk.keypoints[0][0].tolist()
    found = poses(stream([{"keypoints": []}, {"keypoints": frame}], "--size", "1000x1000"))
    assert [len(line["persons"]) for line in found] == [0, 1]
    done = stream([])
    assert (done.code, done.out, done.err) == (0, "", "poselift: no frames\n")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{\n", "line 1"),
        (b"\xff\xfe\xfa\n", "line 1: UnicodeDecodeError"),
        ({"keypoints": [[], [[1, 2]]]}, "frame 1"),
        ({}, "line 1: KeyError"),
        ({"keypoints": 5}, "line 1"),
        ({"keypoints": [[1, 2]]}, "frame 1"),
        ({"keypoints": [[1, 2, 3]] * 17}, "frame 1"),
        ({"keypoints": [["a", "b"]] * 17}, "frame 1"),
        ({"keypoints": [[1e999, 2]] * 17}, "infin"),
        ({"keypoints": [[1, 2]] * 17, "scores": [1]}, "frame 1"),
        ({"keypoints": [[1, 2]] * 17, "time": "noon"}, "line 1"),
        ({"keypoints": [[[1, 2]] * 17], "ids": [1, 2]}, "line 1"),
        (b"[" * 100_000 + b"\n", "line 1"),
    ],
)
def test_bad_lines(stream, line, message):
    done = stream([line])
    assert done.code == 1, done
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert message in done.err


def test_bad_options(stream):
    for options in (("--look-ahead", -1), ("--look-ahead", 99), ("--persons", 0), ("--size", "5")):
        assert stream([], *options).code == 2
    assert stream([], "--layout", "coco").code == 2


def test_a_video_takes_no_layout(command, tmp_path):
    done = command("stream", tmp_path / "a.mp4", "--layout", "coco-17")
    assert done.code == 2
    assert "takes no --layout" in done.err


@pytest.fixture
def watch(monkeypatch, command, graph):
    """Run ``poselift stream camera`` on a picture in which one person is seen."""

    def run(*options, seen=lambda time: None, source="testsrc=rate=25,realtime"):
        person = SimpleNamespace(
            points=np.random.default_rng(0).uniform(50, 200, (33, 2)), visibility=np.ones(33)
        )

        class Tracker:
            def __init__(self, network, mode, most):
                assert (mode, most) == ("tracking", 1)

            def push(self, image, time):
                assert image.shape == (240, 320, 3)
                seen(time)
                return [detect.Seen(0, person)]

        monkeypatch.setattr(detect, "find", lambda: None)
        monkeypatch.setattr(detect, "BlazePose", lambda weights: None)
        monkeypatch.setattr(detect, "PoseTracker", Tracker)
        device = ("lavfi", lambda av, number: source, {})
        monkeypatch.setattr(cameras, "DEVICES", {sys.platform: device})
        return command("stream", *(options or ("camera",)), "--model", graph)

    return run


def last_line(done):
    """Frames and dropped frames in the last line."""
    found = re.fullmatch(
        r"poselift: (\d+) frames, latency .*, look-ahead 0 frames, (\d+) dropped",
        done.err.splitlines()[-1],
    )
    return int(found[1]), int(found[2])


def test_a_camera_goes_on_until_it_is_interrupted(watch):
    times = []

    def interrupted(now):
        times.append(now)
        time.sleep(0.1)
        if len(times) == 6:
            raise KeyboardInterrupt

    done = watch("camera:0", seen=interrupted)
    found = poses(done)
    frames, dropped = last_line(done)
    assert len(found) == frames == 5
    # Those between the frames that were taken, and any before the first.
    assert dropped >= round(25 * (times[-1] - times[0])) + 1 - len(times) > 0
    assert all(len(line["persons"]) == 1 for line in found)


def test_an_interrupted_camera_gives_what_still_waits(watch):
    seen = []

    def interrupted(now):
        seen.append(now)
        if len(seen) == 6:
            raise KeyboardInterrupt

    found = poses(watch("camera", "--look-ahead", 1, seen=interrupted))
    assert [line["time"] for line in found] == pytest.approx(seen[:5], abs=1e-6)


def test_a_camera_that_is_unplugged(watch):
    done = watch(source="testsrc=rate=25:duration=0.4,realtime")
    assert done.code == 1
    assert "camera 0: no more pictures" in done.err
    assert done.err.count("\n") == 1


def test_what_a_camera_does_not_take(watch, command):
    for options, message in (
        (("camera", "--fast"), "--fast"),
        (("camera", "--layout", "coco-17"), "takes no --layout"),
        (("camera:", "--fps", 30), "./camera: is a file"),
        (("camera:front",), "./camera:front is a file"),
        (("camera:-1",), "camera:1"),
        (("camera:1:2",), "camera:1"),
    ):
        done = watch(*options)
        assert done.code == 2, done
        assert message in done.err
        assert done.err.count("\n") == 1


def test_no_camera(command, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    done = command("stream", "camera:987")
    assert (done.code, done.out) == (1, "")
    assert "camera 987: /dev/video987 cannot be opened" in done.err
    assert done.err.count("\n") == 1


def test_a_free_row_is_given_after_a_while():
    places = module._Places(1, 0)
    assert places.of("a", 0.0, 1) == (0, True)
    assert places.of("b", 0.5, 2) == (None, False)
    assert places.of("a", 1.0, 3) == (0, False)
    assert places.of("b", 1.9, 4) == (None, False)
    assert places.of("b", 2.1, 5) == (0, True)
    assert places.name(0) == "b"
