"""Frames of a camera, as they come: through FFmpeg's devices, which PyAV holds.

A camera does not wait. Who is slower than it gets the newest frame and never an old one, so that
no delay builds up.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, Self

from poselift.detect.video import Decoder, Frame, reason
from poselift.errors import DataError

_OPENING = 5.0
"""Seconds that a camera may take to open."""
_PATIENCE = 5.0
"""Seconds without a picture after which a camera is taken for dead."""
_PAUSE = 0.002
"""Seconds before a camera that has nothing yet is asked again."""
_NONBLOCK = "+4"
"""FFmpeg's AVFMT_FLAG_NONBLOCK, which has no name as an option: asked for a picture that is not
there, a device says so instead of waiting, and can be let go of at any time."""


class Camera(Decoder):
    """The frames of a camera from now on. It is open, and its lamp lit, until it is closed.

    Iterating gives a `poselift.detect.Frame` after another until it is closed: each time the
    newest one, as soon as there is one that was not given. Times are the camera's own. ``with``
    closes it at the end; any thread may close it.

    Args:
        number: of the camera, from 0 in the order of the system: ``/dev/video0`` on Linux.
        fps: frames per second asked of it; ``None`` leaves it to the camera.
        size: (width, height) in pixels, alike.

    Attributes:
        fps: frames per second that it says it gives.
        width: pixels of every frame.
        height: pixels of every frame.
        arrived: when the frame last given came, by ``time.perf_counter``.
        dropped: frames left out since iterating began, since newer ones came before they were
            taken.
        warnings: what was found so far.

    Raises:
        DataError: no such camera, or it gives nothing; while iterating, it gives no more.
        MissingExtraError: PyAV is not installed.
    """

    _threads = "SLICE"  # several frames at once would each be late

    def __init__(
        self,
        number: int = 0,
        *,
        fps: float | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(f"camera {number}")
        self.arrived = 0.0
        self.dropped = 0
        self._number = number
        self._asked = {} if fps is None else {"framerate": f"{fps:g}"}
        if size is not None:
            self._asked["video_size"] = f"{size[0]}x{size[1]}"
        self._stopped = threading.Event()
        self._turn = threading.RLock()  # one thread at a time is in the generator
        self._frames = self._from_video()
        self.height, self.width = next(self._frames).image.shape[:2]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        next(self, None)  # one that came before anybody looked
        self.dropped = 0
        return self

    def __next__(self) -> Frame:
        with self._turn:
            return next(self._frames)

    def close(self) -> None:
        """Let go of the camera; a thread that waits for a frame of it comes to the end."""
        self._stopped.set()
        with self._turn:
            self._frames.close()

    def _open(self) -> Any:
        if sys.platform not in DEVICES:
            known = ", ".join(DEVICES)
            raise DataError(f"{self.name}: cameras of {sys.platform} are not known", known)
        format, place, defaults = DEVICES[sys.platform]
        device = self.name
        try:
            device = place(self._av, self._number)
            return self._av.open(
                device,
                format=format,
                options={"fflags": _NONBLOCK, **defaults, **self._asked},
                timeout=(_OPENING, None),  # reading does not wait
            )
        except (self._av.error.FFmpegError, OSError, ValueError, LookupError) as error:
            raise DataError(
                f"{self.name}: {device} cannot be opened ({reason(error)})",
                "a camera",
                "is it plugged in, free, and yours to use? has it that size and frame rate?",
            ) from error

    def _packets(self, container: Any, stream: Any) -> Generator[Any, None, None]:
        """Decoded in a thread of its own; of what came meanwhile, the newest."""
        newest = _Newest(super()._packets(container, stream))
        try:
            while (found := newest.take(_PATIENCE)) is not None:
                picture, self.arrived, missed = found
                self.dropped += missed
                yield picture
            if not self._stopped.is_set():
                raise DataError(f"{self.name}: no more pictures", "a camera", "is it plugged in?")
        except TimeoutError as error:
            raise DataError(
                f"{self.name}: no picture for {_PATIENCE:g} seconds", "a camera", "is it free?"
            ) from error
        finally:
            self._stopped.set()
            newest.wait()  # before the container is closed

    def _demuxed(self, container: Any, stream: Any) -> Iterator[Any]:
        while not self._stopped.is_set():
            try:
                for packet in super()._demuxed(container, stream):
                    yield packet
                    if self._stopped.is_set():
                        return
                return
            except BlockingIOError:  # nothing there yet
                time.sleep(_PAUSE)


class _Newest:
    """What a thread gets out of an iterator: the newest item, and no queue of older ones."""

    def __init__(self, items: Iterator[Any]) -> None:
        self._items = items
        self._changed = threading.Condition()
        self._waiting: tuple[Any, float] | None = None  # with the time when it came
        self._missed = 0
        self._ended = False
        self._error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            for item in self._items:
                with self._changed:
                    self._missed += self._waiting is not None
                    self._waiting = (item, time.perf_counter())
                    self._changed.notify()
        except BaseException as error:  # for whoever waits
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify()

    def wait(self) -> None:
        """Until the thread has ended, even if interrupted meanwhile: that is raised then."""
        try:
            self.thread.join()
        except KeyboardInterrupt:
            self.wait()
            raise

    def take(self, patience: float) -> tuple[Any, float, int] | None:
        """The newest item that was not taken, when it came, and how many it made late.

        Waits for one; ``None`` after the last. What the iterator raises is raised here.

        Raises:
            TimeoutError: none for ``patience`` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting or self._ended, patience):
                raise TimeoutError
            if self._waiting is not None:
                (item, arrived), missed = self._waiting, self._missed
                self._waiting, self._missed = None, 0
                return item, arrived, missed
        if self._error is not None:
            raise self._error
        return None


def _listed(av: Any, number: int) -> str:
    """DirectShow knows its cameras by names."""
    if not hasattr(av, "enumerate_input_devices"):
        raise LookupError("this PyAV cannot list cameras: pip install -U av")
    devices = av.enumerate_input_devices("dshow")
    cameras = [device.name for device in devices if "video" in device.media_types]
    if number >= len(cameras):
        raise LookupError(f"{len(cameras)} cameras found")
    return f"video={cameras[number]}"


_Place = Callable[[Any, int], str]

DEVICES: dict[str, tuple[str, _Place, dict[str, str]]] = {
    "linux": ("v4l2", lambda av, number: f"/dev/video{number}", {}),
    # By itself AVFoundation is asked for 29.97 frames per second, which few cameras have.
    "darwin": ("avfoundation", lambda av, number: f"{number}:none", {"framerate": "30"}),
    "win32": ("dshow", _listed, {}),
}
"""FFmpeg's name for the devices of each system, how it calls one, and its options."""
