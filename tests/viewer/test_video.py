"""The film: its times, sizes and codec, and whether the joints are where they belong."""

from __future__ import annotations

import struct
import sys
import tracemalloc
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from walker import walker

from poselift.errors import DataError, MissingExtraError, UsageError
from poselift.poses import Pose3D
from poselift.viewer import video as film
from poselift.viewer import write_mp4
from poselift.viewer.raster import rgb
from poselift.viewer.scene import PALETTE

DARK = PALETTE["dark"]
GREY = 90
ALONE = "no 2D joints: the film has the 3D joints alone"
SMALL = {"image_size": [320, 180]}


def small(frames: int = 6, **fields: Any) -> Pose3D:
    """A walker in a picture of 320 x 180 pixels."""
    pose = walker(frames=frames, meta=SMALL, **fields)
    pose.keypoints[:] = pose.keypoints / 4
    return pose


def read(path: Path) -> tuple[list[np.ndarray], list[float], Any]:
    """Images, times, and what the file says of its video."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        about = stream.codec_context
        frames = list(container.decode(stream))
        assert {frame.format.name for frame in frames} == {"yuv420p"}
        facts = about.name, about.width, about.height, stream.average_rate
        return (
            [f.to_ndarray(format="rgb24") for f in frames],
            [float(f.time) for f in frames],
            facts,
        )


def write_source(path: Path, times: list[int], size: tuple[int, int] = (480, 270)) -> Path:
    """A grey video at these times, tenths of a second, with a white stripe at the left edge."""
    image = np.full((size[1], size[0], 3), GREY, np.uint8)
    image[:, :40] = 255
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=10)
        stream.width, stream.height = size
        stream.pix_fmt = "rgb24"
        stream.codec_context.time_base = Fraction(1, 10)
        for time in times:
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def turn(path: Path) -> None:
    """Say that a quarter turn clockwise puts the video upright, as phones do."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 44
    matrix = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    data[place : place + 36] = struct.pack(">9i", *matrix)
    path.write_bytes(data)


def has(image: np.ndarray, colour: str) -> bool:
    """Whether a colour is there, as well as compression keeps it."""
    off = np.abs(image.astype(int) - rgb(colour)).max(axis=-1)
    return int((off < 30).sum()) > 15


def test_an_empty_picture_beside_the_3d_joints(tmp_path: Path) -> None:
    pose = small()
    assert write_mp4(pose, tmp_path / "a.mp4") == ["picture drawn at 480 x 270 pixels"]
    images, times, facts = read(tmp_path / "a.mp4")
    assert facts == ("h264", 480 + 270, 270, 30)
    assert times == pytest.approx(pose.times, abs=1e-5)
    for image in images:
        for part in (image[:, :480], image[:, 480:]):
            assert has(part, DARK["left"])
            assert has(part, DARK["right"])
    assert np.abs(images[0][:, 480:].astype(int) - images[5][:, 480:]).max() > 60


def test_uneven_times_and_odd_sizes(tmp_path: Path) -> None:
    when = np.array([7.0, 7.1, 7.35, 7.4, 9.0, 9.01])
    pose = small(times=when)
    pose.meta["image_size"] = [801, 333]
    write_mp4(pose, tmp_path / "a.mp4")
    _, times, facts = read(tmp_path / "a.mp4")
    assert times == pytest.approx(when - 7, abs=1e-5)
    assert facts[1:3] == (801 + 334 + 1, 334)
    write_mp4(pose, tmp_path / "a.mp4", fps=24000 / 1001)
    _, times, facts = read(tmp_path / "a.mp4")
    assert times == pytest.approx([1001 * n / 24000 for n in range(6)], abs=1e-9)
    assert facts[3] == Fraction(24000, 1001)


def test_joints_lie_over_the_picture_of_their_time(tmp_path: Path) -> None:
    source = write_source(tmp_path / "a.mov", [0, 2, 3, 7])
    pose = small(4, times=np.array([0.0, 0.2, 0.3, 0.7]))
    pose.keypoints[:] = np.nan
    pose.keypoints[0, :, 13] = pose.keypoints[0, :, 12] = [
        [100, 50],
        [150, 80],
        [200, 110],
        [250, 140],
    ]
    assert write_mp4(pose, tmp_path / "out.mp4", source) == []
    images, times, facts = read(tmp_path / "out.mp4")
    assert times == pytest.approx([0.0, 0.2, 0.3, 0.7], abs=1e-5)
    assert facts[1:3] == (750, 270)
    for t, image in enumerate(images):
        x, y = pose.keypoints[0, t, 13].astype(int)
        spot = image[y - 8 : y + 8, x - 8 : x + 8].astype(int)
        assert np.abs(spot - GREY).max() > 60
        image[y - 12 : y + 12, x - 12 : x + 12] = GREY
        assert np.abs(image[:, 50:470].astype(int) - GREY).max() < 25
        assert image[:, :30].min() > 225


def test_video_of_a_turned_phone_is_upright(tmp_path: Path) -> None:
    source = write_source(tmp_path / "a.mov", [0, 1])
    turn(source)
    pose = small(2, times=np.array([0.0, 0.1]))
    write_mp4(pose, tmp_path / "out.mp4", source)
    images, _, facts = read(tmp_path / "out.mp4")
    assert facts[1:3] == (270 + 270, 480)
    assert images[0][:30, :260].min() > 225  # the stripe is above now
    assert has(images[0][60:, :270], DARK["left"])


def test_frames_of_other_times_have_no_joints(tmp_path: Path) -> None:
    source = write_source(tmp_path / "a.mov", list(range(8)))
    pose = small(4, times=0.2 + np.arange(4) / 10)
    notes = write_mp4(pose, tmp_path / "out.mp4", source)
    assert notes == ["4 of 8 frames of the video are not in the motion"]
    images, _, _ = read(tmp_path / "out.mp4")
    drawn = [has(image[:, 40:480], DARK["left"]) for image in images]
    assert drawn == [False, False, True, True, True, True, False, False]


def test_a_folder_of_images_has_the_frame_rate_of_the_motion(tmp_path: Path) -> None:
    for n in range(5):
        image = av.VideoFrame.from_ndarray(np.full((90, 160, 3), GREY, np.uint8), format="rgb24")
        image.save(tmp_path / f"in{n}.png") if n else (tmp_path / "frames").mkdir()
        image.save(tmp_path / "frames" / f"{n}.png")
    pose = walker(frames=5, times=np.arange(5) / 8)
    object.__setattr__(pose, "fps", 8.0)
    assert write_mp4(pose, tmp_path / "a.mp4", tmp_path / "frames") == [
        "picture drawn at 480 x 270 pixels"
    ]
    assert read(tmp_path / "a.mp4")[1] == pytest.approx(np.arange(5) / 8)
    write_mp4(pose, tmp_path / "a.mp4", tmp_path / "frames", fps=8.0)
    assert read(tmp_path / "a.mp4")[2][3] == 8


def test_persons_have_colours_of_their_own(tmp_path: Path) -> None:
    pose = walker(persons=2, frames=2, meta={"image_size": [1280, 720]}, track_ids=[7, 12])
    write_mp4(pose, tmp_path / "a.mp4")
    images, _, _ = read(tmp_path / "a.mp4")
    for part in (images[0][:, :1280], images[0][:, 1280:]):
        assert has(part, DARK["persons"][0])
        assert has(part, DARK["persons"][1])


def gaps() -> Pose3D:
    pose = small(4, persons=2)
    pose.joints[1] = pose.keypoints[1] = np.nan
    pose.joints[0, 1] = pose.keypoints[0, 1] = np.nan
    pose.joints[0, 2, 5] = np.nan
    return pose


def far_away() -> Pose3D:
    pose = small(2)
    pose.keypoints[0, :, 3] = 3e38
    pose.joints[0, :, 3] = -1e30
    pose.keypoints[0, :, 4] = -1e7
    return pose


@pytest.mark.parametrize(
    ("pose", "notes"),
    [
        (gaps(), ["picture drawn at 480 x 270 pixels"]),
        (far_away(), ["picture drawn at 480 x 270 pixels"]),
        (small(1), ["picture drawn at 480 x 270 pixels"]),
        (walker(frames=2, keypoints=None), [ALONE]),
        (Pose3D(np.full((2, 3, 17, 3), np.nan)), [ALONE]),
        (walker(frames=2, rooted=False, meta={"image_size": [4096, 2160]}),
         ["picture drawn at 1920 x 1012 pixels"]),
        (walker(frames=2, meta={"image_size": [900_000, 2]}), ["picture drawn at 1920 x 1 pixels"]),
    ],
)  # fmt: skip
def test_odd_poses(pose: Pose3D, notes: list[str], tmp_path: Path) -> None:
    path = tmp_path / "Läufer 100 %d: a.mp4"
    assert write_mp4(pose, path) == notes
    images, times, facts = read(path)
    assert len(images) == pose.num_frames
    assert facts[1] % 2 == facts[2] % 2 == 0
    assert times == pytest.approx(pose.times - pose.times[0], abs=1e-5)


def test_without_h264_another_codec_is_used_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film, "_can_write", lambda av, name: name == "mpeg4")
    notes = write_mp4(small(), tmp_path / "a.mp4")
    assert notes[1] == "this PyAV cannot write h264: the film is MPEG-4 Part 2"
    images, times, facts = read(tmp_path / "a.mp4")
    assert facts[0] == "mpeg4"
    assert times == pytest.approx(np.arange(6) / 30, abs=1e-4)
    assert has(images[3], DARK["left"])


def test_errors_leave_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = small()
    broken.keypoints[0, 0] = np.inf
    with pytest.raises(DataError, match="infinite numbers in keypoints"):
        write_mp4(broken, tmp_path / "a.mp4")
    with pytest.raises(DataError, match="no such file"):
        write_mp4(small(), tmp_path / "a.mp4", tmp_path / "none.mp4")
    with pytest.raises(DataError, match="is a folder"):
        write_mp4(small(), tmp_path)
    with pytest.raises(DataError, match=r"not a folder|cannot be written"):
        write_mp4(small(), "/dev/null/a.mp4")
    with pytest.raises(UsageError, match="fps of -1"):
        write_mp4(small(), tmp_path / "a.mp4", tmp_path, fps=-1)
    with pytest.raises(DataError, match="fps of 0"):
        write_mp4(small(), tmp_path / "a.mp4", fps=0)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(film.Painter, "space", stop)
        with pytest.raises(KeyboardInterrupt):
            write_mp4(small(), tmp_path / "a.mp4")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "av", None)
        with pytest.raises(MissingExtraError, match=r"pip install .poselift\[video\]"):
            write_mp4(small(), tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    def peak(frames: int) -> int:
        source = write_source(tmp_path / f"{frames}.mov", list(range(frames)))
        pose = small(frames, times=np.arange(frames) / 10)
        tracemalloc.start()
        try:
            write_mp4(pose, tmp_path / "a.mp4", source)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2)
    image = 480 * 270 * 3
    assert peak(60) < peak(10) + image
