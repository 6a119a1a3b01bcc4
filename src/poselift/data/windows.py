"""Which frames each window reads and which frames it predicts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from poselift.errors import UsageError

Target = Literal["centre", "newest"]
WindowUse = Literal["blended", "centre", "tiled", "published"]
"""How windows become a motion: overlapping ones blended, each frame as the middle one of a window
of its own, or windows side by side; or as published numbers are made, one of the latter two."""


@dataclass(frozen=True)
class Windows:
    """Frames of W windows over a clip.

    Args:
        starts: (W,) first frame that each window predicts; may lie beyond the clip's ends.
        num_frames: T, frames of the clip.
        window: F, frames that a window reads.
        num_out: n, frames that a window predicts.
        target: which frames of the window are predicted.
        used: (W, 2) first frame that is used of each window's, and the first behind; ``None`` for
            all that are predicted.

    The frames of all windows would take more memory than the clip: take some windows, as from an
    array, and ask these for theirs.
    """

    starts: npt.NDArray[np.int64]
    num_frames: int
    window: int
    num_out: int
    target: Target
    used: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, which: slice | npt.NDArray[np.int64]) -> Windows:
        """Some of the windows."""
        used = None if self.used is None else self.used[which]
        return replace(self, starts=self.starts[which], used=used)

    @property
    def inputs(self) -> npt.NDArray[np.int64]:
        """(W, F) frames that each window reads, the clip's first or last where it is over."""
        begin = self.starts[:, None] - output_offset(self.window, self.num_out, self.target)
        return np.clip(begin + np.arange(self.window), 0, self.num_frames - 1)

    @property
    def outputs(self) -> npt.NDArray[np.int64]:
        """(W, n) frames that each window predicts; beyond the clip's ends, or -1, if not used."""
        frames = self.starts[:, None] + np.arange(self.num_out)
        if self.used is None:
            return frames
        first, end = self.used[:, :1], self.used[:, 1:]
        return np.where((first <= frames) & (frames < end), frames, -1)


def output_offset(window: int, num_out: int, target: Target) -> int:
    """First predicted frame, counted from the start of the window.

    >>> output_offset(243, 9, "centre"), output_offset(243, 9, "newest")
    (117, 234)
    """
    return (window - num_out) // 2 if target == "centre" else window - num_out


def plan_windows(
    num_frames: int, window: int, num_out: int, stride: int, target: Target
) -> Windows:
    """Windows that together predict every frame of a clip.

    Args:
        num_frames: T, frames of the clip.
        window: F, frames that a window reads.
        num_out: n, frames that a window predicts.
        stride: frames from one window to the next, 1 to ``num_out``.
        target: which frames of the window are predicted.

    Raises:
        UsageError: a stride that would leave frames out.

    >>> plan_windows(4, window=3, num_out=1, stride=1, target="centre").inputs.tolist()
    [[0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 3]]
    """
    if not 1 <= stride <= num_out:
        raise UsageError(f"stride {stride}", f"1 to {num_out}, the frames that a window predicts")
    # The first window begins early enough for frame 0 to be covered as often as any other.
    first = -((num_out - 1) // stride) * stride
    starts = np.arange(first, num_frames, stride)
    return Windows(starts, num_frames, window, num_out, target)


def plan_single(num_frames: int, window: int, num_out: int, tiled: bool) -> Windows:
    """Windows of a network for the centre, of which each frame of a clip is predicted by one alone.

    Args:
        num_frames, window, num_out: as for `plan_windows`.
        tiled: windows whose predictions lie side by side, the last ones ending with the clip;
            otherwise a window for each frame, of which the middle prediction is used.

    >>> plan_single(5, window=3, num_out=3, tiled=True).outputs.tolist()
    [[0, 1, 2], [-1, 3, 4]]
    >>> plan_single(2, window=3, num_out=3, tiled=False).outputs.tolist()
    [[-1, 0, -1], [-1, 1, -1]]
    """
    each = num_out if tiled else 1
    first = np.arange(0, num_frames, each)
    starts = np.minimum(first, max(0, num_frames - num_out)) if tiled else first - num_out // 2
    used = np.stack([first, first + each], axis=1)
    return Windows(starts, num_frames, window, num_out, "centre", used)
