"""rtmlib: the tuples that its ``Body``, ``BodyWithFeet`` and ``Wholebody`` return.

What rtmlib and Pose2Sim write to disk is read by ``openpose``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from poselift.errors import DataError
from poselift.keypoints.clip import BODY_LAYOUTS, Clip, from_arrays, present, to_pose, track_number
from poselift.poses import Pose2D

TOOL = "rtmlib"


def from_rtmlib(
    frames: Iterable[Any],
    layout: str | None = None,
    *,
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
) -> Pose2D:
    """Poses from ``Body()(image)``, one ``(keypoints, scores)`` for each frame.

    Args:
        frames: keypoints (n, J, 2) pixels and scores (n, J); a frame without persons may be
            ``None`` or hold empty arrays. Persons are kept apart by overlap; rtmlib's own
            ``PoseTracker`` gives its ids as a third item, which is used.
        layout: joint layout; 17 joints are COCO's, 26 Halpe's, 133 COCO-WholeBody's if not given.
        fps: frames per second of the video, 30 if not given.
        image_size: (width, height) of the video in pixels.

    Raises:
        DataError: frames of another form, or nobody in any of them.

    >>> import numpy as np
    >>> frame = (np.full((1, 17, 2), 100.0), np.ones((1, 17)))
    >>> from_rtmlib([frame] * 5, fps=25).keypoints.shape
    (1, 5, 17, 2)
    """
    clip = Clip({}, TOOL, BODY_LAYOUTS)
    for n, item in enumerate(frames):
        where = f"rtmlib frame {n}"
        clip.frames[n] = []
        if item is None:
            continue
        if not isinstance(item, (tuple, list)) or len(item) not in (2, 3):
            raise DataError(f"{where}: no pair", "(keypoints (n, J, 2), scores (n, J))")
        try:
            keypoints, scores = np.asarray(item[0], float), np.asarray(item[1], float)
        except (TypeError, ValueError):
            raise DataError(f"{where}: no numbers", "keypoints (n, J, 2), scores (n, J)") from None
        if keypoints.size == 0:
            continue
        if keypoints.ndim != 3 or keypoints.shape[2] != 2 or scores.shape != keypoints.shape[:2]:
            raise DataError(
                f"{where}: keypoints of shape {keypoints.shape}, scores of shape {scores.shape}",
                "(n, J, 2) and (n, J)",
            )
        ids = list(item[2]) if len(item) == 3 else [None] * len(keypoints)
        if len(ids) != len(keypoints):
            raise DataError(f"{where}: {len(ids)} ids", f"one for each of {len(keypoints)} persons")
        clip.frames[n] = present(
            [
                from_arrays(k, s, where, track_number(i))
                for k, s, i in zip(keypoints, scores, ids, strict=True)
            ]
        )
    return to_pose(clip, TOOL, layout, fps, image_size)
