"""Checks of Human3.6M's file in the layout of MotionBERT."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.data.findings import Findings, FloatArray, some
from poselift.data.h36m import ACTIONS, TEST, TRAIN
from poselift.data.h36m_cameras import CAMERA_IDS, HEIGHTS, WIDTH
from poselift.data.motionbert import Part, columns, load, runs, subject_of, texts_in
from poselift.errors import DataError

_SOURCE = re.compile(r"s_\d{2}_act_\d{2}_subact_\d{2}_ca_\d{2}")
_FRAMES = {"train": 1_559_752, "test": 566_920}
"""Of the file that the field uses."""
_OVER = 0.2
"""The peak of a detector's heat map may lie a little over 1."""
_FAR = 100.0
"""Pixels: more between detections and truth is no error of a detector."""


def check(path: Path) -> Findings:
    """Check ``h36m_sh_conf_cam_source_final.pkl``: keys, lengths, cameras, units, 2.5D factor."""
    found = Findings("Human3.6M (MotionBERT)")
    data = load(path)
    parts: tuple[tuple[Part, tuple[str, ...]], ...] = (("train", TRAIN), ("test", TEST))
    for part, subjects in parts:
        try:
            arrays = columns(data, part, path.name)
            texts = {key: texts_in(arrays, key, part) for key in ("camera_name", "source")}
            if part == "test":
                texts["action"] = texts_in(arrays, "action", part)
        except DataError as error:
            found.problems.append(str(error))
        else:
            _check_part(found, part, arrays, texts, subjects)
    return found


def _check_part(
    found: Findings,
    part: Part,
    arrays: dict[str, npt.NDArray[Any]],
    texts: dict[str, npt.NDArray[np.str_]],
    subjects: tuple[str, ...],
) -> None:
    N = len(texts["source"])
    pixels = found.array(arrays["joint_2d"], part, "joint_2d", (N, 17, 2))
    image = found.array(arrays["joint3d_image"], part, "joint3d_image", (N, 17, 3))
    confidence = found.array(arrays["confidence"], part, "confidence", (N, 17))
    if confidence is not None:
        low, high = float(confidence.min()), float(confidence.max())
        if low < -_OVER or high > 1 + _OVER:
            found.problems.append(
                f"{part}: confidence from {low:.3g} to {high:.3g}; expected 0 to 1"
            )
        elif low == high:
            found.notes.append(f"{part}: confidence {low:.3g} everywhere")
    if pixels is None or image is None:
        return
    found.facts.append(f"{part}: {N} frames")
    if _FRAMES[part] != N:
        found.notes.append(f"{part}: {N} frames, in the file of the field {_FRAMES[part]}")
    cameras, sources = texts["camera_name"], texts["source"]
    unknown = sorted(set(cameras.tolist()) - set(CAMERA_IDS))
    if unknown:
        found.problems.append(f"{part}: cameras {some(unknown)}; expected {some(CAMERA_IDS)}")
    clips = runs(sources)
    names = [str(sources[clip.start]) for clip in clips]
    odd = [name for name in names if not _SOURCE.fullmatch(name)]
    if odd:
        found.problems.append(f"{part}: sources {some(odd)}; expected s_09_act_05_subact_02_ca_01")
        return
    if len(set(names)) != len(names):
        found.problems.append(f"{part}: the frames of a source do not follow each other")
    strange = sorted({subject_of(name) for name in names} - set(subjects))
    if strange:
        found.problems.append(f"{part}: subjects {some(strange)}; expected {some(subjects)}")
    found.check_pixels(pixels, part, (WIDTH, max(HEIGHTS.values())))
    far = float(np.median(np.linalg.norm(pixels - image[..., :2], axis=-1)))
    if far > _FAR:
        found.problems.append(
            f"{part}: joint3d_image is {far:.0f} px from joint_2d; expected pixels with a depth of "
            "the same scale"
        )
    if part == "test":
        odd = sorted(set(texts["action"].tolist()) - set(ACTIONS))
        if odd:
            found.notes.append(f"test: actions {some(odd)}")
        _check_scale(found, arrays, image)


def _check_scale(found: Findings, arrays: dict[str, npt.NDArray[Any]], image: FloatArray) -> None:
    """Image coordinates times their factor are the truth, which is as large as a person."""
    N = len(image)
    truth = found.array(arrays["joints_2.5d_image"], "test", "joints_2.5d_image", (N, 17, 3))
    factor = found.array(arrays["2.5d_factor"], "test", "2.5d_factor", (N,))
    if truth is None or factor is None:
        return
    if factor.min() <= 0:
        found.problems.append("test: 2.5d_factor that is not positive")
        return
    scaled = image * factor[:, None, None]
    gap = np.linalg.norm((scaled - scaled[:, :1]) - (truth - truth[:, :1]), axis=-1)
    if np.median(gap[:, 1:]) > 5:
        found.problems.append(
            f"test: joint3d_image x 2.5d_factor is {np.median(gap[:, 1:]):.0f} mm from "
            "joints_2.5d_image; expected the same pose"
        )
    found.check_unit(truth, "test: joints_2.5d_image", "mm")
