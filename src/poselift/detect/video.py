"""Frames of a video or of a folder of images, one at a time.

Decoding is PyAV's (FFmpeg), so any container and codec that it knows will do. One frame is in
memory at a time, apart from the few that the decoder itself holds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from poselift.detect.region import Image
from poselift.errors import DataError, MissingExtraError, UsageError

IMAGE_SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"))
"""Files of a folder that are taken as frames."""

_DEFAULT_FPS = 30.0
_MAX_FPS = 1000.0
_MISSING_SECONDS = 1.0
_MISSING_SHARE = 0.05
"""A video that ends earlier than its header says by more than both is called cut off."""


class Frame(NamedTuple):
    """One picture of a video.

    Args:
        number: of the frame in the video, from 0.
        time: seconds since the first frame.
        image: (H, W, 3) uint8 RGB, upright as a player shows it.
    """

    number: int
    time: float
    image: Image


@dataclass(frozen=True)
class VideoWarning:
    """Something about a video that the user should know, though frames could be read.

    Args:
        source: the file or folder.
        text: what was found, and what was done about it.
    """

    source: str
    text: str

    def __str__(self) -> str:
        return f"{self.source}: {self.text}"


class Decoder:
    """Decodes what FFmpeg opens, one frame at a time: what files and cameras have in common.

    Args:
        name: for messages.
        fps: in place of the times of the video, which are then equally spaced.
    """

    _threads = "AUTO"
    """Of the codec, see PyAV's ``thread_type``."""

    def __init__(self, name: str, fps: float | None = None) -> None:
        self.name = name
        self.fps = fps or _DEFAULT_FPS
        self.width = self.height = 0
        self.count: int | None = None
        self.warnings: list[VideoWarning] = []
        self._given_fps = fps
        self._seconds = 0.0
        self._av = _pyav()

    def _open(self) -> Any:
        """FFmpeg's container."""
        raise NotImplementedError

    def _warn(self, text: str) -> None:
        warning = VideoWarning(self.name, text)
        if warning not in self.warnings:
            self.warnings.append(warning)

    def _from_video(self) -> Generator[Frame, None, None]:
        with self._open() as container:
            # FFmpeg shows any text as a film of a terminal.
            if not container.streams.video or container.format.name == "tty":
                raise DataError(f"{self.name}: no video in it", "a video or a folder of images")
            stream = container.streams.video[0]
            stream.thread_type = self._threads
            self._describe(stream, container.duration)
            yield from self._decoded(container, stream)

    def _describe(self, stream: Any, duration: int | None) -> None:
        """Find the frame rate and the number of frames."""
        rates = (stream.average_rate, stream.guessed_rate)
        known = [float(rate) for rate in rates if rate and 0 < float(rate) <= _MAX_FPS]
        if self._given_fps is None:
            if not known:
                self._warn(f"no frame rate in it, taken as {_DEFAULT_FPS:.0f}")
            self.fps = known[0] if known else _DEFAULT_FPS
        self._seconds = duration / self._av.time_base if duration else 0.0
        rate = known[0] if known else self.fps
        self.count = int(stream.frames) or round(self._seconds * rate) or None

    def _decoded(self, container: Any, stream: Any) -> Iterator[Frame]:
        picture = _Picture(self._av, stream.sample_aspect_ratio)
        index, damaged, start, last = 0, 0, None, -1.0
        with closing(self._packets(container, stream)) as packets:
            for frame in packets:
                if frame is None:
                    damaged += 1
                    continue
                damaged += frame.is_corrupt
                try:
                    image = picture(frame)
                    if self.width and image.shape[:2] != (self.height, self.width):
                        self._warn("its size changes; later frames are scaled to the first")
                        image = picture(frame, self.width, self.height)
                except (self._av.error.FFmpegError, ValueError, MemoryError):
                    damaged += 1  # a size or a kind of pixels that cannot be converted
                    continue
                time = frame.time
                if self._given_fps is not None:
                    time = index / self.fps
                elif time is None or not isfinite(time):
                    self._warn("frames without times, counted on at the frame rate")
                    time = last + 1 / self.fps if index else 0.0
                else:
                    start = time if start is None else start
                    time = float(time - start)
                    if index and time <= last:
                        self._warn("times that do not increase, counted on at the frame rate")
                        time = last + 1 / self.fps
                last = time
                yield Frame(index, time, image)
                index += 1
        if damaged:
            self._warn(f"damaged: {damaged} frame{'s' * (damaged > 1)} could not be read whole")
        if index:
            self._check_end(int(stream.frames), index, last)

    def _packets(self, container: Any, stream: Any) -> Generator[Any, None, None]:
        """The frames of each packet; ``None`` where a packet cannot be decoded."""
        try:
            for packet in self._demuxed(container, stream):
                try:
                    yield from packet.decode()
                except EOFError:
                    return
                except self._av.error.FFmpegError:
                    yield None
        except (self._av.error.FFmpegError, OSError) as error:
            self._warn(f"reading ends early ({reason(error)}); what came before it is used")

    def _demuxed(self, container: Any, stream: Any) -> Iterator[Any]:
        """The packets of the stream."""
        return iter(container.demux(stream))

    def _check_end(self, declared: int, found: int, last: float) -> None:
        """Warn where a video is shorter than its header says."""
        if declared and found < declared - max(2, _MISSING_SHARE * declared):
            self._warn(f"cut off: {found} of {declared} frames could be read")
            return
        end = last + 1 / self.fps
        missing = self._seconds - end
        if self._given_fps is None and missing > max(
            _MISSING_SECONDS, _MISSING_SHARE * self._seconds
        ):
            self._warn(f"its frames end at {end:.1f} s, though it says {self._seconds:.1f} s")


class Frames(Decoder):
    """The frames of a video file, of a folder of images, or of a single image.

    Iterating gives a `Frame` after another, and starts from the beginning each time. Turned video
    of phones is put upright, pixels that are not square are made so, and times are those at which
    a player shows the frames, also where their distance varies. Images of a folder are taken in
    the order of the numbers in their names.

    Args:
        path: file or folder.
        fps: frames per second of a folder of images (30 if not given), or overriding the times
            of a video, which are then equally spaced.

    Attributes:
        fps: frames per second, the average where they vary.
        width: pixels of every frame.
        height: pixels of every frame.
        count: how many frames are expected, ``None`` where the file does not say.
        warnings: what was found so far; it grows while frames are read.

    Raises:
        DataError: no such file, or nothing readable in it.
        UsageError: a frame rate that is not a positive number.
        MissingExtraError: PyAV is not installed.
    """

    def __init__(self, path: str | os.PathLike[str], *, fps: float | None = None) -> None:
        if fps is not None and not (isfinite(fps) and 0 < fps <= _MAX_FPS):
            raise UsageError(f"fps of {fps}", f"a number above 0, up to {_MAX_FPS:.0f}")
        self.path = _existing(path)
        super().__init__(str(path), fps)
        self._images = _image_files(self.path)
        if self._images:
            self.count = len(self._images)
        if self._images and fps is None and len(self._images) > 1:
            self._warn(f"images without times, taken as {_DEFAULT_FPS:.0f} frames per second")
        frames = self._read()
        first = next(frames)  # which also finds out early whether there is anything to read
        frames.close()
        self.height, self.width = first.image.shape[:2]

    def __iter__(self) -> Iterator[Frame]:
        return self._read()

    def _read(self) -> Generator[Frame, None, None]:
        pictures = self._from_images() if self._images else self._from_video()
        found = False
        for frame in pictures:
            found = True
            yield frame
        if not found:
            raise DataError(
                f"{self.name}: no frame can be read", "a video or images", "is it damaged?"
            )

    def _from_images(self) -> Iterator[Frame]:
        for index, path in enumerate(self._images):
            try:
                image = self._still(path)
            except (self._av.error.FFmpegError, OSError, ValueError, LookupError, StopIteration):
                self._warn(f"{path.name} cannot be read, left out")
                continue
            if self.width and image.shape[:2] != (self.height, self.width):
                size = f"{image.shape[1]} x {image.shape[0]}"
                self._warn(f"{path.name} is {size} unlike the first image, left out")
                continue
            yield Frame(index, index / self.fps, image)

    def _still(self, path: Path) -> Image:
        # Through a file object, since FFmpeg takes a % in a name as a pattern.
        with path.open("rb") as file, self._av.open(file) as container:
            frame = next(container.decode(container.streams.video[0]))
            return _upright(frame.to_ndarray(format="rgb24"), frame.rotation)

    def _open(self) -> Any:
        try:
            # "file:" and the white list keep names with a colon, and lists of addresses, local.
            return self._av.open(
                f"file:{self.path}",
                options={"protocol_whitelist": "file"},
                metadata_errors="replace",
            )
        except (self._av.error.FFmpegError, OSError, ValueError) as error:
            raise DataError(
                f"{self.name}: cannot be read ({reason(error)})", "a video", "is it complete?"
            ) from error


class _Picture:
    """Frames of FFmpeg to upright RGB arrays with square pixels."""

    def __init__(self, av: ModuleType, aspect: Any) -> None:
        self._convert = av.video.reformatter.VideoReformatter()
        self._aspect = float(aspect) if aspect and 0.1 < float(aspect) < 10 else 1.0

    def __call__(self, frame: Any, width: int | None = None, height: int | None = None) -> Image:
        turned = round(frame.rotation / 90) % 2 == 1
        if width is None:
            wide, high = max(1, round(frame.width * self._aspect)), frame.height
        else:
            wide, high = (height, width) if turned else (width, height)
        rgb = self._convert.reformat(frame, width=wide, height=high, format="rgb24")
        return _upright(rgb.to_ndarray(), frame.rotation)


def _upright(image: Image, degrees: float) -> Image:
    """Turn by the display matrix's angle, counterclockwise, in steps of 90 degrees."""
    return np.ascontiguousarray(np.rot90(image, round(degrees / 90)))


def _pyav() -> ModuleType:
    try:
        import av
        import av.error
        import av.video.reformatter
    except ImportError as error:
        raise MissingExtraError(
            "reading video needs PyAV, which is not installed",
            fix='pip install "poselift[video]"',
        ) from error
    return av


def _existing(path: str | os.PathLike[str]) -> Path:
    try:
        place = Path(path)
        if place.is_file() or place.is_dir():
            return place
    except (OSError, ValueError):  # a name too long or with a null character
        pass
    raise DataError(
        f"{path!s}: no such file or folder", "a video or a folder of images", "check the path"
    )


def _image_files(path: Path) -> list[Path]:
    """The images in a folder, or the one image, in order; none for a video."""
    if path.is_file():
        return [path] if path.suffix.lower() in IMAGE_SUFFIXES else []
    try:
        names = [
            file
            for file in path.iterdir()
            if file.suffix.lower() in IMAGE_SUFFIXES
            and not file.name.startswith(".")
            and file.is_file()
        ]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({reason(error)})", "a folder") from error
    if not names:
        raise DataError(
            f"{path}: no image in it", f"files named {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    return sorted(names, key=lambda file: (_natural(file.stem), file.name))


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that puts ``frame10`` after ``frame9``."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def reason(error: BaseException) -> str:
    """Why FFmpeg or the system refused, in a few words."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
