"""What many tests need."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from poselift.detect import WeightFiles, find, setup
from poselift.errors import CheckpointError

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a shell: commands that tests interrupt would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with the golden vectors and the motion capture; a user does not have it, CI does."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        message = "needs the folder `shared` beside the project (golden vectors, motion capture)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def weights() -> WeightFiles:
    """The real networks; a user may not have them, CI gets them from the package index."""
    try:
        return find()
    except CheckpointError as error:
        if os.environ.get("CI"):
            return setup()
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def write_video() -> Callable[..., Path]:
    """Write (H, W, 3) images, without loss unless another codec is named."""
    av = pytest.importorskip("av")

    def write(path, images, *, codec="png", rate=10, pts=None, aspect=None) -> Path:
        pixels = {"png": "rgb24", "gif": "rgb8"}.get(codec, "yuv420p")
        options = {"movflags": "faststart"} if path.suffix in (".mp4", ".mov") else {}
        with av.open(str(path), "w", options=options) as container:
            stream = container.add_stream(codec, rate=rate)
            stream.height, stream.width = images[0].shape[:2]
            stream.pix_fmt = pixels
            stream.codec_context.time_base = Fraction(1, rate)
            if aspect is not None:
                stream.codec_context.sample_aspect_ratio = aspect
            for number, image in enumerate(images):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts = number if pts is None else pts[number]
                frame.time_base = Fraction(1, rate)
                for packet in stream.encode(frame):
                    container.mux(packet)
            for packet in stream.encode(None):
                container.mux(packet)
        return path

    return write


@pytest.fixture(scope="session")
def noise() -> list[np.ndarray]:
    """Twenty images that do not compress, 48 x 64."""
    rng = np.random.default_rng(0)
    return list(rng.integers(0, 256, (20, 48, 64, 3), dtype=np.uint8))
