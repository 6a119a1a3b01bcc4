"""A video of the 2D joints over the picture, beside the 3D joints above a floor."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from poselift.errors import DataError, MissingExtraError
from poselift.files import atomic_path
from poselift.motion.content import finite_or_absent
from poselift.poses import MAX_SIDE, Pose3D, checked_fps
from poselift.viewer.figures import Painter, View
from poselift.viewer.raster import Image, number, text_width
from poselift.viewer.scene import frame_scene, image_size, known_points, make_scene

_LONGEST, _SHORTEST = 1920, 480  # pixels of the picture's longer side
_PANEL = 240  # pixels: the 3D view is at least as wide and as high
_BT709 = _LIMITED_RANGE = 1  # as FFmpeg numbers them


class _Encoder(NamedTuple):
    """A codec of FFmpeg that writes h264, or the next best.

    Args:
        name: what FFmpeg calls it.
        codec: what it writes.
        options: of quality and speed.
        bits: for each pixel, where it knows no level of quality.
        ticks: a second. 120 000 is whole for all usual frame rates, 24000/1001 among them.
    """

    name: str
    codec: str
    options: dict[str, str]
    bits: float = 0.0
    ticks: int = 120_000


_ENCODERS = (
    _Encoder("libx264", "h264", {"preset": "veryfast", "crf": "20"}),
    _Encoder("libopenh264", "h264", {}, bits=0.15),
    _Encoder("mpeg4", "MPEG-4 Part 2", {}, bits=0.25, ticks=60_000),
)
"""The first that PyAV has is used."""


def write_mp4(
    pose3d: Pose3D,
    path: str | os.PathLike[str],
    video: str | os.PathLike[str] | None = None,
    fps: float | None = None,
) -> list[str]:
    """Write a film: the picture with the 2D joints, and beside it the 3D joints.

    h264 in mp4, 4:2:0, at the times of the frames, also where their distance varies. Frames are
    decoded, drawn and encoded one at a time. Pictures whose longer side is above 1920 pixels are
    made smaller, below 480 larger. The numbers below the 3D joints are the time and the frame.

    Args:
        pose3d: what to draw; absent persons and joints are left out.
        path: the file, mp4 whatever its name ends in. Never left half written.
        video: the video or folder of images in which the joints were found, whose frames get the
            joints of the nearest time; ``None``: the 2D joints are drawn on an empty picture of
            the size that ``meta`` says, or left out if there are none.
        fps: frames per second in place of the times of ``video`` (as for
            `poselift.detect.Frames`), or without it of ``pose3d``.

    Returns:
        What the user should know: frames without joints, another size, another codec, what was
        odd in the video.

    Raises:
        DataError: infinite numbers, a video that cannot be read, or a file that cannot be
            written.
        UsageError: ``fps`` that cannot be used with ``video``.
        MissingExtraError: PyAV is not installed.
    """
    av = _pyav()
    finite_or_absent(pose3d)
    if fps is not None and video is None:
        fps = checked_fps(fps, "")
    source = _Canvas(pose3d, fps) if video is None else _Video(pose3d, video, fps)
    layout = _layout(source.size)
    screen = _Screen(pose3d, layout)
    notes = []
    if layout.scale != 1 and layout.picture[0]:
        width, height = layout.picture
        notes.append(f"picture drawn at {width} x {height} pixels")
    elif not layout.picture[0]:
        notes.append("no 2D joints: the film has the 3D joints alone")
    with (
        atomic_path(path) as temporary,
        _as_data_error(av, path),
        _Film(av, temporary, layout.size, source.fps) as film,
    ):
        for time, picture, column, caption in source:
            if picture is not None:
                picture = film.resize(picture, layout.picture)
            film.add(screen.draw(picture, column, f"{_clock(time)}   {caption}"), time)
    if film.codec != "h264":
        notes.append(f"this PyAV cannot write h264: the film is {film.codec}")
    return notes + source.notes


class _Drawn(NamedTuple):
    """What one frame of the film shows.

    Args:
        time: seconds since the beginning.
        picture: (H, W, 3) RGB, or ``None`` for an empty one.
        column: frame of the motion, ``None`` where it has none at this time.
        caption: number of the frame, and how many there are.
    """

    time: float
    picture: Image | None
    column: int | None
    caption: str


class _Canvas:
    """The frames of a motion whose video is not at hand."""

    def __init__(self, pose: Pose3D, fps: float | None) -> None:
        self.fps = fps or pose.fps
        self.size = _picture_size(pose)
        self.notes: list[str] = []
        self._times = pose.times - pose.times[0] if fps is None else None
        self._frames = pose.num_frames

    def __iter__(self) -> Iterator[_Drawn]:
        for t in range(self._frames):
            time = t / self.fps if self._times is None else float(self._times[t])
            yield _Drawn(time, None, t, f"{t + 1}/{self._frames}")


class _Video:
    """The frames of a video, each with the frame of the motion that is nearest in time."""

    def __init__(self, pose: Pose3D, path: str | os.PathLike[str], fps: float | None) -> None:
        from poselift.detect.video import Frames

        if fps is None and Path(path).is_dir():  # images have no times of their own
            fps = pose.fps
        self._frames = Frames(path, fps=fps)
        self.fps = self._frames.fps
        self.size: tuple[int, int] | None = (self._frames.width, self._frames.height)
        self.notes: list[str] = []
        self._times = pose.times

    def __iter__(self) -> Iterator[_Drawn]:
        times, total = self._times, self._frames.count
        far = 0.75 * float(np.median(np.diff(times))) if len(times) > 1 else 0.75 / self.fps
        # Frame t of the motion is the nearest until halfway to the next.
        halfway = (times[1:] + times[:-1]) / 2
        frames = missing = 0
        for index, time, image in self._frames:
            column = int(np.searchsorted(halfway, time))
            found = abs(float(times[column]) - time) <= far
            frames, missing = frames + 1, missing + (not found)
            caption = f"{index + 1}/{total}" if total and index < total else f"{index + 1}"
            yield _Drawn(time, image, column if found else None, caption)
        self.notes += [warning.text for warning in self._frames.warnings]
        if missing:
            self.notes.append(f"{missing} of {frames} frames of the video are not in the motion")


class _Layout(NamedTuple):
    """Where things are in the film, pixels.

    Args:
        size: (width, height) of the film, even.
        picture: (width, height) of the picture, at the left, in the middle of the height; zeros
            without one.
        panel: (width, height) of the 3D view, at the right.
        scale: of the picture.
    """

    size: tuple[int, int]
    picture: tuple[int, int]
    panel: tuple[int, int]
    scale: float


def _layout(size: tuple[int, int] | None) -> _Layout:
    if size is None:
        return _Layout((720, 720), (0, 0), (720, 720), 1.0)
    scale = float(np.clip(1.0, _SHORTEST / max(size), _LONGEST / max(size)))
    width, height = (max(1, round(side * scale)) for side in size)
    high = _even(max(height, _PANEL))
    across = _even(max(min(width, high), _PANEL))
    whole = _even(width + across)
    return _Layout((whole, high), (width, height), (whole - width, high), scale)


def _even(length: int) -> int:
    return length + length % 2  # 4:2:0 has colours for pairs of pixels


class _Screen:
    """One frame of the film after another, drawn on the same array."""

    def __init__(self, pose: Pose3D, layout: _Layout) -> None:
        scene = make_scene(pose)
        framing = frame_scene(scene, pose.fps)
        self._joints, self._floor = scene.joints, scene.floor
        self._keypoints = pose.keypoints
        self._centres = framing.followed if framing.follow else framing.middle[None]
        self._radius = framing.followed_radius if framing.follow else framing.radius
        self._painter = Painter(pose.skeleton, pose.track_ids)
        self._layout = layout
        self._last = 0
        width, height = layout.size
        self._ground = np.full((height, width, 3), self._painter.ground, dtype=np.uint8)
        left = self._left(self._ground)
        if left.size:
            left[[0, -1]] = left[:, [0, -1]] = self._painter.line  # where the picture ends
        self._ground_of: tuple[float, ...] = ()
        self._image = np.empty_like(self._ground)

    def draw(self, picture: Image | None, column: int | None, caption: str) -> Image:
        """(H, W, 3) RGB, overwritten by the next call."""
        image, painter = self._image, self._painter
        width, scale = self._layout.picture[0], self._layout.scale
        self._last = t = self._last if column is None else column
        floor = float(self._floor[t])
        view = View(self._centres[t % len(self._centres)], self._radius, self._layout.panel)
        if self._ground_of != (floor, *view.centre):
            self._ground_of = (floor, *view.centre)
            self._ground[:, width:] = painter.ground
            painter.floor(self._ground[:, width:], floor, view)
        np.copyto(image, self._ground)
        left, right = self._left(image), image[:, width:]
        if picture is not None:
            left[:] = picture
        if column is not None:
            if width:
                # Pixels count from the edge of the image there, from their middle here.
                painter.flat(left, self._keypoints[:, t].astype(np.float64) * scale - 0.5)
            painter.space(right, self._joints[:, t], floor, view)
        size = min(right.shape[0] / 40, 0.9 * right.shape[1] / text_width(caption, 1.0))
        at = (1.5 * size, right.shape[0] - 2.5 * size)
        number(right, caption, at, size, painter.text, painter.ground)
        return image

    def _left(self, image: Image) -> Image:
        """The part of the film that has the picture."""
        width, height = self._layout.picture
        top = (image.shape[0] - height) // 2
        return image[top : top + height, :width]


class _Film:
    """An mp4 file that takes images at increasing times; use it as a context manager."""

    def __init__(self, av: ModuleType, path: Path, size: tuple[int, int], fps: float) -> None:
        self._av, self._path, self._size, self._fps = av, path, size, fps
        self._convert = av.video.reformatter.VideoReformatter()
        self._encoder = next(each for each in _ENCODERS if _can_write(av, each.name))
        self.codec = self._encoder.codec
        self._ticks = -1

    def __enter__(self) -> _Film:
        encoder = self._encoder
        self._container = self._av.open(
            f"file:{self._path}", "w", format="mp4", options={"movflags": "+faststart"}
        )
        rate = Fraction(self._fps).limit_denominator(1001)
        self._stream = self._container.add_stream(
            encoder.name, rate=rate, options=dict(encoder.options)
        )
        context = self._stream.codec_context
        context.width, context.height = self._size
        context.pix_fmt = "yuv420p"
        context.time_base = Fraction(1, encoder.ticks)
        context.gop_size = int(np.clip(2 * self._fps, 1, 250))  # so that players can jump
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED_RANGE
        if encoder.bits:
            pixels = self._size[0] * self._size[1] * min(self._fps, 60.0)
            context.bit_rate = int(np.clip(encoder.bits * pixels, 2e5, 1e8))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()

    def resize(self, image: Image, size: tuple[int, int]) -> Image:
        """(H, W, 3) RGB at another (width, height)."""
        if image.shape[:2] == size[::-1]:
            return image
        frame = self._av.VideoFrame.from_ndarray(image, format="rgb24")
        scaled = self._convert.reformat(frame, width=size[0], height=size[1], format="rgb24")
        return np.asarray(scaled.to_ndarray())

    def add(self, image: Image, time: float) -> None:
        """Append a frame (H, W, 3), RGB, that is shown from ``time`` on, seconds."""
        frame = self._convert.reformat(
            self._av.VideoFrame.from_ndarray(image, format="rgb24"),
            format="yuv420p",
            dst_colorspace="ITU709",
            src_color_range="JPEG",
            dst_color_range="MPEG",
        )
        # Frames nearer to each other than a tick are a tick apart.
        self._ticks = max(round(time * self._encoder.ticks), self._ticks + 1)
        frame.pts, frame.time_base = self._ticks, Fraction(1, self._encoder.ticks)
        self._container.mux(self._stream.encode(frame))


def _picture_size(pose: Pose3D) -> tuple[int, int] | None:
    """(width, height) of the picture as ``meta`` says, or that holds all 2D joints; or None."""
    seen = known_points(pose.keypoints)
    if not seen.any():
        return None
    known = image_size(pose.meta)
    width, height = known or np.clip(pose.keypoints[seen].max(axis=0) * 1.05 + 1, 1, MAX_SIDE)
    return int(width), int(height)


def _clock(seconds: float) -> str:
    """Minutes, seconds and hundredths, with hours if there are any.

    >>> _clock(83.456), _clock(3600)
    ('01:23.46', '1:00:00.00')
    """
    minutes, rest = divmod(round(100 * seconds), 6000)
    hours, minutes = divmod(minutes, 60)
    start = f"{hours}:" if hours else ""
    return f"{start}{minutes:02d}:{rest // 100:02d}.{rest % 100:02d}"


def _can_write(av: ModuleType, codec: str) -> bool:
    try:
        return bool(av.Codec(codec, "w").is_encoder)
    except av.codec.codec.UnknownCodecError:
        return False


def _pyav() -> ModuleType:
    try:
        import av
    except ImportError as error:
        raise MissingExtraError(
            "writing video needs PyAV, which is not installed",
            fix='pip install "poselift[video]"',
        ) from error
    return av


@contextmanager
def _as_data_error(av: ModuleType, path: str | os.PathLike[str]) -> Iterator[None]:
    """What FFmpeg says while it writes, as an error of ours."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise DataError(
            f"{os.fspath(path)}: cannot be written ({error.strerror})",
            "",
            "check the folder and the space on the disk",
        ) from error
