"""A share of the training motion, as if only that had labels."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from poselift.data.clips import PairedClip
from poselift.data.mocap import Motion

Clip = TypeVar("Clip", Motion, PairedClip)


def choose_labelled(clips: Sequence[Clip], share: float) -> list[Clip]:
    """Sequences that together have ``share`` of the frames, at least one frame.

    Sequences come in the order of the CRC-32 of their names, whoever made them, so that the choice
    is the same everywhere and a small share lies within every larger one; the last one is cut to
    fit.

    Args:
        clips: all sequences.
        share: of their frames, above 0 to 1.
    """
    if share >= 1:
        return list(clips)
    left = max(1, round(share * sum(clip.num_frames for clip in clips)))
    chosen = []
    for clip in sorted(clips, key=lambda clip: zlib.crc32(clip.name.encode())):
        if left <= 0:
            break
        chosen.append(_first(clip, left))
        left -= clip.num_frames
    return chosen


def _first(clip: Clip, frames: int) -> Clip:
    """At most so many frames of a sequence."""
    if clip.num_frames <= frames:
        return clip
    arrays = {
        name: value[:frames]
        for name in ("joints", "keypoints", "scores", "valid")
        if (value := getattr(clip, name, None)) is not None
    }
    return replace(clip, **arrays)
