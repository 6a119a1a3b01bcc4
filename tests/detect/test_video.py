"""Frames of anything: containers, times, turned and odd pictures, damage."""

from __future__ import annotations

import struct
import weakref
from fractions import Fraction

import av
import numpy as np
import pytest

from poselift.detect.video import Frames
from poselift.errors import DataError, UsageError


def times(frames):
    return [round(frame.time, 6) for frame in frames]


def texts(frames):
    return [warning.text for warning in frames.warnings]


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "mpeg4"), ("a.mkv", "mpeg4"), ("a.avi", "mpeg4"), ("a.ts", "mpeg2video")],
)
def test_containers_give_all_frames_and_their_times(tmp_path, write_video, noise, name, codec):
    frames = Frames(write_video(tmp_path / name, noise, codec=codec, rate=25))
    assert times(frames) == [round(n / 25, 6) for n in range(20)]
    assert (frames.fps, frames.width, frames.height, frames.warnings) == (25, 64, 48, [])
    assert frames.count == 20


def test_pixels_and_numbers_are_exact_and_reading_starts_anew(tmp_path, write_video, noise):
    frames = Frames(write_video(tmp_path / "a.mov", noise))
    for _ in range(2):
        read = list(frames)
        assert [frame.number for frame in read] == list(range(20))
        np.testing.assert_array_equal([frame.image for frame in read], noise)


def test_odd_sizes_and_strange_names(tmp_path, write_video):
    images = [np.full((7, 5, 3), 10 * n, np.uint8) for n in range(3)]
    frames = Frames(write_video(tmp_path / "à: %03d[1].mov", images))
    assert (frames.width, frames.height) == (5, 7)
    np.testing.assert_array_equal([image for _, _, image in frames], images)


def test_variable_frame_rate_keeps_the_times(tmp_path, write_video, noise):
    path = write_video(tmp_path / "a.mov", noise[:6], pts=[3, 4, 6, 7, 11, 12])
    assert times(Frames(path)) == [0.0, 0.1, 0.3, 0.4, 0.8, 0.9]
    assert times(Frames(path, fps=50)) == [0.0, 0.02, 0.04, 0.06, 0.08, 0.1]


# (a, b, c, d) of the display matrix, and how often numpy turns counterclockwise
TURNS = [((0, 1, -1, 0), 3), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)]


@pytest.mark.parametrize(("matrix", "quarters"), TURNS)
def test_video_of_a_turned_phone_is_upright(tmp_path, write_video, noise, matrix, quarters):
    data = bytearray(write_video(tmp_path / "a.mov", noise[:3]).read_bytes())
    a, b, c, d = (n * 65536 for n in matrix)
    place = data.index(b"tkhd") + 44
    data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path = tmp_path / "turned.mov"
    path.write_bytes(data)
    frames = Frames(path)
    expected = [np.rot90(image, quarters) for image in noise[:3]]
    np.testing.assert_array_equal([image for _, _, image in frames], expected)
    assert (frames.height, frames.width) == expected[0].shape[:2]


def test_pixels_that_are_not_square_are_made_so(tmp_path, write_video, noise):
    path = write_video(tmp_path / "a.mov", noise[:3], aspect=Fraction(3, 2))
    frames = Frames(path)
    assert (frames.width, frames.height) == (96, 48)
    assert all(image.shape == (48, 96, 3) for _, _, image in frames)


def test_memory_stays_flat(tmp_path, write_video, noise):
    path = write_video(tmp_path / "a.mov", noise * 5)
    seen = []
    for _, _, image in Frames(path):
        seen.append(weakref.ref(image))
        assert sum(ref() is not None for ref in seen) <= 3
    assert len(seen) == 100


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_a_truncated_file_gives_what_is_there_and_says_so(tmp_path, write_video, noise, name):
    data = write_video(tmp_path / name, noise * 4, codec="mpeg4").read_bytes()
    path = tmp_path / f"cut_{name}"
    path.write_bytes(data[: len(data) * 6 // 10])
    frames = Frames(path)
    found = len(list(frames))
    assert 20 < found < 75
    assert frames.warnings
    assert all(str(warning).startswith(str(path)) for warning in frames.warnings)


def test_damage_in_the_middle_is_told(tmp_path, write_video, noise):
    data = bytearray(write_video(tmp_path / "a.mp4", noise * 4, codec="mpeg4").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4000] = bytes(4000)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    frames = Frames(path)
    assert len(list(frames)) >= 70
    assert "damaged" in " ".join(texts(frames))


@pytest.mark.parametrize(
    "content",
    [b"", b"hello, this is a text\n" * 50, bytes(range(256)) * 100, b"\x00\x00\x00\x18ftypmp42"],
)
@pytest.mark.parametrize("name", ["a.mp4", "a.txt", "a.png"])
def test_nothing_readable_is_one_clear_error(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=path.name) as error:
        Frames(path)
    assert "\n" not in str(error.value)


def test_sound_without_pictures(tmp_path):
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(DataError, match="no video"):
        Frames(path)


@pytest.mark.parametrize("path", ["nowhere.mp4", "a\0b", "x" * 5000, ""])
def test_no_such_file(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError):
        Frames(path)  # the empty name is the folder itself, which holds no image


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), 1e9])
def test_frame_rates_that_cannot_be(fps):
    with pytest.raises(UsageError, match="fps"):
        Frames("a.mp4", fps=fps)


class TestFolders:
    @pytest.fixture
    def folder(self, tmp_path, write_video, noise):
        """Images 8 to 11, which sort wrongly by text."""
        place = tmp_path / "images"
        place.mkdir()
        for number in range(8, 12):
            with av.open(str(place / f"f%{number}.png"), "w", format="image2pipe") as container:
                stream = container.add_stream("png", rate=1)
                stream.height, stream.width = noise[number].shape[:2]
                stream.pix_fmt = "rgb24"
                frame = av.VideoFrame.from_ndarray(noise[number], format="rgb24")
                for packet in [*stream.encode(frame), *stream.encode(None)]:
                    container.mux(packet)
        (place / "notes.txt").write_text("not an image")
        return place

    def test_order_times_and_the_assumed_rate(self, folder, noise):
        frames = Frames(folder)
        np.testing.assert_array_equal([image for _, _, image in frames], noise[8:12])
        assert times(frames) == [round(n / 30, 6) for n in range(4)]
        assert "30 frames per second" in texts(frames)[0]
        assert times(Frames(folder, fps=2)) == [0, 0.5, 1, 1.5]
        assert Frames(folder, fps=2).warnings == []

    def test_a_damaged_or_different_image_is_left_out_and_named(self, folder, noise):
        whole = (folder / "f%9.png").read_bytes()
        (folder / "f%9.png").write_bytes(b"nothing")
        (folder / "f%12.png").write_bytes(whole.replace(struct.pack(">I", 64), b"\0\0\0\x10", 1))
        frames = Frames(folder, fps=10)
        numbers = [number for number, _, _ in frames]
        assert numbers[:3] == [0, 2, 3]
        assert "f%9.png" in texts(frames)[0]

    def test_one_image(self, folder, noise):
        frames = Frames(folder / "f%10.png")
        assert len(list(frames)) == 1
        assert frames.warnings == []

    def test_no_image(self, tmp_path):
        with pytest.raises(DataError, match="no image"):
            Frames(tmp_path)


def test_the_sample_videos(shared):
    frames = Frames(shared / "data/media/pose2sim_single_cam01.mp4")
    assert (frames.width, frames.height, frames.fps, frames.count) == (1080, 1920, 60, 100)
    assert [frame.number for frame in frames] == list(range(100))
    assert frames.warnings == []
