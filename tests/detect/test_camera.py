"""A camera of FFmpeg's test picture: 25 frames a second, as they come or all at once."""

from __future__ import annotations

import sys
import threading
import time
from itertools import islice
from types import SimpleNamespace

import av
import pytest

from poselift.detect import camera as module
from poselift.detect.camera import Camera
from poselift.errors import DataError


@pytest.fixture
def pattern(monkeypatch):
    """Put a device that gives FFmpeg's test picture in place of the system's."""

    def put(source="testsrc=size=64x48:rate=25,realtime"):
        devices = {sys.platform: ("lavfi", lambda av, number: source, {})}
        monkeypatch.setattr(module, "DEVICES", devices)

    return put


def camera_threads():
    """Others than a camera's may come and go, such as those of the networks."""
    return [thread for thread in threading.enumerate() if thread.name == "camera"]


def numbers(frames):
    """Numbers of 25ths of a second since the first frame that was looked at."""
    return [round(25 * frame.time) for frame in frames]


def test_frames_of_a_camera(pattern):
    pattern()
    before, frames = 0.0, []
    with Camera() as camera:
        assert (camera.fps, camera.width, camera.height, camera.warnings) == (25, 64, 48, [])
        for frame in islice(camera, 10):
            assert before < camera.arrived <= time.perf_counter()
            before = camera.arrived
            frames.append(frame)
    assert all(frame.image.shape == (48, 64, 3) for frame in frames)
    found = numbers(frames)
    assert found == sorted(set(found))
    assert found[0] > 0


def test_the_newest_wins_and_all_others_are_counted(pattern):
    pattern()
    frames, dropped = [], []
    with Camera() as camera:
        for frame in islice(camera, 6):
            frames.append(frame)
            dropped.append(camera.dropped)
            time.sleep(0.15)
    found = numbers(frames)
    assert dropped[-1] - dropped[0] == found[-1] - found[0] + 1 - len(found) > 0


def test_a_slow_user_gets_no_old_frames():
    items, asked = iter(range(5)), threading.Semaphore(0)

    def make():
        for item in items:
            yield item
            asked.acquire()

    newest = module._Newest(make())
    assert newest.take(9)[::2] == (0, 0)
    for _ in range(3):  # 1 and 2 are replaced, 3 waits
        asked.release()
    while newest._missed < 2:
        time.sleep(0.001)
    assert newest.take(9)[::2] == (3, 2)
    with pytest.raises(TimeoutError):
        newest.take(0.01)
    asked.release()
    assert newest.take(9)[::2] == (4, 0)
    asked.release()
    assert newest.take(9) is None


def test_errors_of_the_thread_come_out():
    def broken():
        yield 1
        raise ZeroDivisionError

    newest = module._Newest(broken())
    newest.thread.join()
    assert newest.take(9)[0] == 1
    with pytest.raises(ZeroDivisionError):
        newest.take(9)


def test_closing_ends_the_thread(pattern):
    pattern()
    with Camera() as camera:
        next(iter(camera))
        assert len(camera_threads()) == 1
    assert camera_threads() == []
    assert list(camera) == []
    camera.close()


def test_another_thread_closes_while_one_waits_for_a_frame(pattern):
    pattern("testsrc=size=64x48:rate=25,realtime=speed=0.1")  # a frame in 0.4 s
    camera = Camera()
    waiting = threading.Event()
    frames = iter(camera)

    def take():
        waiting.set()
        taken.extend(frames)

    taken = []
    reader = threading.Thread(target=take)
    reader.start()
    waiting.wait()
    time.sleep(0.05)
    camera.close()
    assert camera_threads() == []
    reader.join()
    assert list(camera) == []


def test_an_interrupt_while_closing_waits_for_the_thread(pattern, monkeypatch):
    pattern()
    camera = Camera()
    (thread,) = camera_threads()
    join, interrupts = thread.join, [KeyboardInterrupt] * 2

    def interrupted():
        if interrupts:
            raise interrupts.pop()
        join()

    monkeypatch.setattr(thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        camera.close()
    assert not thread.is_alive()


def test_a_camera_that_is_unplugged(pattern):
    pattern("testsrc=size=64x48:rate=25:duration=0.4,realtime")
    with Camera() as camera, pytest.raises(DataError, match="camera 0: no more pictures"):
        list(camera)
    assert camera_threads() == []


def test_asked_again_where_there_is_nothing_yet(pattern):
    pattern()
    camera = Camera()
    camera.close()
    camera._stopped.clear()
    answers = [1, BlockingIOError(), BlockingIOError(), 2]

    def demux(stream):
        while answers:
            if isinstance(answers[0], BaseException):
                raise answers.pop(0)
            yield answers.pop(0)

    assert list(camera._demuxed(SimpleNamespace(demux=demux), None)) == [1, 2]


def test_size_and_rate_are_asked_for(pattern, monkeypatch):
    pattern()
    asked, real = {}, av.open

    def opened(file, **settings):
        asked.update(settings["options"])
        return real(file, **settings)

    monkeypatch.setattr(av, "open", opened)
    Camera(fps=29.97, size=(1280, 720)).close()
    assert (asked["framerate"], asked["video_size"]) == ("29.97", "1280x720")


def test_a_camera_that_gives_nothing(pattern, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.05)
    pattern()
    monkeypatch.setattr(Camera, "_demuxed", lambda self, *_: iter(self._stopped.wait, True))
    with pytest.raises(DataError, match=r"camera 0: no picture for 0\.05 seconds"):
        Camera()


def test_no_camera(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(DataError, match="camera 987: /dev/video987 cannot be opened") as error:
        Camera(987)
    assert "\n" not in str(error.value)
    monkeypatch.setattr(sys, "platform", "amiga")
    with pytest.raises(DataError, match="amiga are not known; expected linux, darwin, win32"):
        Camera()


def test_names_that_systems_give():
    devices = [
        SimpleNamespace(name="mic", media_types=["audio"]),
        SimpleNamespace(name="one", media_types=["video"]),
        SimpleNamespace(name="two", media_types=["video", "audio"]),
    ]
    library = SimpleNamespace(enumerate_input_devices=lambda system: devices)
    place = {system: device[1] for system, device in module.DEVICES.items()}
    assert place["linux"](library, 1) == "/dev/video1"
    assert place["darwin"](library, 1) == "1:none"
    assert place["win32"](library, 1) == "video=two"
    with pytest.raises(LookupError, match="2 cameras found"):
        place["win32"](library, 2)
    with pytest.raises(LookupError, match="install -U av"):
        place["win32"](SimpleNamespace(), 0)
