"""A network on windows of pixels, and which moment of a window a prediction belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.checkpoints import About
from poselift.data.windows import output_offset
from poselift.errors import CheckpointError, DataError, UsageError
from poselift.geometry.mirror import mirror_joints, mirror_keypoints
from poselift.geometry.normalise import normalise
from poselift.runtime.backends import Backend
from poselift.runtime.resample import Times, interpolate
from poselift.skeleton import H36M_17

FloatArray = npt.NDArray[np.floating[Any]]
Size = tuple[int, int]

_ROOT = H36M_17.index("pelvis")
_FAR = 1000  # times the image: no network fails on less


@dataclass(frozen=True)
class PixelNetwork:
    """A network that reads windows of pixels.

    Args:
        backend: the network.
        flip: average with the mirrored prediction of the mirrored window.
    """

    backend: Backend
    flip: bool = False

    def __call__(self, pixels: FloatArray, image_size: Size) -> npt.NDArray[np.float32]:
        """(B, F, 17, 2) pixels without NaN -> (B, n, 17, 3) metres, the pelvis exactly zero.

        A network that reads confidence gets it as a third number of each joint.

        Raises:
            CheckpointError: the network gives no numbers, as with damaged weights.
            DataError: it does so for keypoints far outside of any image.
        """
        joints = self._run(pixels, image_size)
        if self.flip:
            mirrored = self._run(mirror_keypoints(pixels, image_size[0]), image_size)
            joints = (joints + mirror_joints(mirrored).astype(np.float32)) * np.float32(0.5)
        return joints - joints[:, :, _ROOT : _ROOT + 1]

    def _run(self, pixels: FloatArray, image_size: Size) -> npt.NDArray[np.float32]:
        x = normalise(pixels, image_size, self.backend.about.normalisation)
        joints = self.backend(np.ascontiguousarray(x, dtype=np.float32))
        if np.isfinite(joints).all():
            return joints
        farthest = np.abs(pixels[..., :2]).max()
        if farthest > _FAR * max(image_size):
            raise DataError(
                f"a keypoint at {farthest:.3g} pixels in an image of {max(image_size)}",
                "keypoints in or near the image",
            )
        raise CheckpointError(
            f"{self.backend.about.model}: its weights give joints that are not numbers",
            "finite weights",
            "train, export or download it again",
        )


def with_scores(keypoints: FloatArray, scores: FloatArray, about: About) -> FloatArray:
    """What a network reads of a clip: (P, T, 17, 2) pixels, and (P, T, 17) scores if it does.

    Returns:
        (P, T, 17, 2 or 3).
    """
    if not about.confidence:
        return keypoints
    return np.concatenate([keypoints, scores[..., None]], axis=-1, dtype=keypoints.dtype)


@dataclass(frozen=True)
class Anchor:
    """The moment of a window that one of its predictions belongs to.

    Args:
        about: the network.
        ahead: frames of the window after that moment, in the network's frame rate.

    A window that reaches beyond the newest frame repeats it, as at the end of a clip.
    """

    about: About
    ahead: int

    @classmethod
    def of(cls, about: About, look_ahead: int, source_fps: float) -> Anchor:
        """The prediction to use when ``look_ahead`` frames of the source after it are known.

        A network for the centre always predicts its middle frame. One for the newest frames
        uses what is known: from its last prediction without look-ahead to its first.

        Raises:
            UsageError: not a whole number from 0, or more than the network can use, which would
                only be delay.
        """
        whole = isinstance(look_ahead, int) and not isinstance(look_ahead, bool)
        if not whole or look_ahead < 0:
            raise UsageError(f"look_ahead={look_ahead!r}", "a whole number of frames from 0")
        first = output_offset(about.window, about.num_out, about.target)
        middle = about.num_out // 2 if about.target == "centre" else 0
        most = about.window - 1 - first - middle
        frames = look_ahead * about.fps / source_fps  # at the network's frame rate
        useful = int(np.ceil(most * source_fps / about.fps - 1e-6))
        if look_ahead > useful:
            raise UsageError(
                f"look_ahead={look_ahead}",
                f"0 to {useful} frames at {source_fps:g} fps, all that this network can use",
                "" if about.target == "centre" else "a network for the centre frame can use more",
            )
        # A hair more than nothing: 0.06 s at 50 fps are three frames.
        return cls(about, most if about.target == "centre" else min(int(frames + 1e-6), most))

    @property
    def output(self) -> int:
        """Which of the window's n predictions it is."""
        first = output_offset(self.about.window, self.about.num_out, self.about.target)
        return self.about.window - 1 - self.ahead - first

    @property
    def offsets(self) -> Times:
        """(F,) seconds from that moment to each frame of the window."""
        steps: Times = np.arange(self.about.window) - (self.about.window - 1.0 - self.ahead)
        return steps / self.about.fps

    def windows(self, keypoints: FloatArray, times: Times, at: Times) -> FloatArray:
        """Windows around moments.

        Args:
            keypoints: (P, T, 17, 2 or 3) pixels without NaN, and confidence.
            times: (T,) seconds.
            at: (W,) seconds, one moment for each window.

        Returns:
            (P * W, F, 17, 2 or 3), all windows of the first person first.
        """
        moments = (at[:, None] + self.offsets).ravel()  # (W F,)
        around = interpolate(keypoints, times, moments)  # (P, W F, 17, 2 or 3)
        return around.reshape(-1, self.about.window, *keypoints.shape[2:])
