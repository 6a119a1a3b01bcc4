"""Human3.6M in the layout of MotionBERT: ``h36m_sh_conf_cam_source_final.pkl``.

{"train", "test"} -> arrays over all frames of all clips: ``joint_2d`` (N, 17, 2) pixels,
``confidence`` (N, 17), ``joint3d_image`` (N, 17, 3) "2.5D": pixels, and a depth of the same scale;
``camera_name`` (N,), ``source`` (N,) the clip. The test part also has ``action`` (N,),
``joints_2.5d_image`` (N, 17, 3) millimetres and ``2.5d_factor`` (N,) millimetres in a pixel.
The pickle is read without running anything.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from poselift.data.clips import PairedClip
from poselift.data.h36m import ACTIONS, FPS, far_enough, in_camera, in_studio
from poselift.data.h36m_cameras import CAMERA_IDS, HEIGHTS, WIDTH, cameras
from poselift.data.mocap import Motion
from poselift.errors import DataError
from poselift.files import read_bytes, write_bytes
from poselift.keypoints import safe_pickle
from poselift.keypoints.files import numbers

FloatArray = npt.NDArray[np.floating[Any]]
Part = Literal["train", "test"]

FILE = "h36m_sh_conf_cam_source_final.pkl"
KEYS = ("joint_2d", "confidence", "joint3d_image", "camera_name", "source")
TEST_KEYS = (*KEYS, "action", "joints_2.5d_image", "2.5d_factor")

_ACTS = {
    name: number
    for number, name in enumerate(
        "Directions Discussion Eating Greeting Phoning Posing Purchases Sitting SittingDown "
        "Smoking Photo Waiting Walking WalkDog WalkTogether".split(),
        start=2,
    )
}
"""The data set's own number of each action, which stands in ``source``."""


@dataclass(frozen=True, eq=False)
class ImageClip(PairedClip):
    """A test clip of this layout.

    Args:
        metres_per_unit: (T,) what one half image width is worth at the person.
        truth: (T, 17, 3) metres, what predictions are measured against.
        source: name of the clip in the file, without the camera.
    """

    metres_per_unit: FloatArray = None  # type: ignore[assignment]  # after fields with defaults
    truth: FloatArray = None  # type: ignore[assignment]
    source: str = ""


def read(path: str | PathLike[str], part: Part = "test") -> list[PairedClip]:
    """The clips of one part; those of the test part are `ImageClip`.

    Their joints are in half image widths, from the pelvis' own place in the image.

    Raises:
        DataError: not such a file.
    """
    path = Path(path)
    arrays = columns(load(path), part, str(path))
    where = f"{path}: {part}"
    keypoints = numbers(arrays["joint_2d"], where, "joint_2d", (None, 17, 2))
    N = len(keypoints)
    scores = numbers(arrays["confidence"], where, "confidence", (N, 17))
    joints = numbers(arrays["joint3d_image"], where, "joint3d_image", (N, 17, 3))
    texts = {key: texts_in(arrays, key, where) for key in ("camera_name", "source")}
    if part == "test":
        texts["action"] = texts_in(arrays, "action", where)
        truth = numbers(arrays["joints_2.5d_image"], where, "joints_2.5d_image", (N, 17, 3))
        factor = numbers(arrays["2.5d_factor"], where, "2.5d_factor", (N,))
    clips: list[PairedClip] = []
    for clip in runs(texts["source"]):
        source, camera = (str(texts[key][clip.start]) for key in ("source", "camera_name"))
        if camera not in HEIGHTS:
            raise DataError(f"{where}: camera {camera!r}", f"one of {', '.join(CAMERA_IDS)}")
        subject = subject_of(source)
        shared: dict[str, Any] = {
            "name": source,
            "subject": subject,
            "keypoints": keypoints[clip].astype(np.float32),
            "joints": (joints[clip] * (2 / WIDTH)).astype(np.float32),
            "image_size": (WIDTH, HEIGHTS[camera]),
            "fps": FPS,
            "scores": scores[clip].astype(np.float32),
            "unit": "half_widths",
        }
        if part == "train":
            clips.append(PairedClip(action="", **shared))
            continue
        clips.append(
            ImageClip(
                action=str(texts["action"][clip.start]),
                **shared,
                metres_per_unit=factor[clip] * (WIDTH / 2 / 1000),
                truth=truth[clip] / 1000,
                source=source.rpartition("_ca_")[0],
            )
        )
    return clips


def load(path: Path) -> dict[str, Any]:
    """What the file holds, a dictionary of parts.

    Raises:
        DataError: no such file, a broken pickle, or one with other objects than data.
    """
    content = read_bytes(path)
    if content.startswith(b"PK"):  # a zip archive; no pickle of data starts so
        raise DataError(f"{path}: is a .npz archive", FILE)
    data = safe_pickle.loads(content, str(path))
    if not isinstance(data, dict):
        raise DataError(f"{path}: holds {type(data).__name__}", "{'train': ..., 'test': ...}")
    return data


def columns(data: Mapping[str, Any], part: Part, where: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays of one part by their key, all of the same length N, at least 1.

    Raises:
        DataError: a key is missing, holds no array, or is longer than another.
    """
    arrays = data.get(part)
    if not isinstance(arrays, dict):
        raise DataError(f"{where}: no part {part!r} in it", "the layout of MotionBERT")
    wanted = KEYS if part == "train" else TEST_KEYS
    missing = [key for key in wanted if key not in arrays]
    if missing:
        raise DataError(f"{where}: {part} lacks {', '.join(missing)}", "the layout of MotionBERT")
    out = {}
    for key in wanted:
        try:
            out[key] = np.asarray(arrays[key])
        except ValueError:  # ragged
            raise DataError(f"{where}: {part}: {key} is no array", "an array") from None
    lengths = {key: len(value) if value.ndim else 0 for key, value in out.items()}
    if len(set(lengths.values())) != 1 or not lengths["source"]:
        raise DataError(f"{where}: {part}: keys of lengths {lengths}", "one length, at least 1")
    for key in ("confidence", "2.5d_factor"):  # some files have a last axis of length 1
        if key in out and out[key].ndim > 1 and out[key].shape[-1] == 1:
            out[key] = out[key][..., 0]
    return out


def runs(names: npt.NDArray[np.str_]) -> list[slice]:
    """The stretches of equal names.

    >>> import numpy as np
    >>> runs(np.array(["a", "a", "b"]))
    [slice(0, 2, None), slice(2, 3, None)]
    """
    ends = [*(np.flatnonzero(names[1:] != names[:-1]) + 1).tolist(), len(names)]
    return [slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True)]


def subject_of(source: str) -> str:
    """The subject that a clip's name stands for.

    >>> subject_of("s_09_act_05_subact_02_ca_01")
    'S9'
    """
    parts = source.split("_")
    if len(parts) < 2 or not parts[1].isdigit():
        raise DataError(f"source {source!r}", "a name such as s_09_act_05_subact_02_ca_01")
    return f"S{int(parts[1])}"


def texts_in(arrays: Mapping[str, npt.NDArray[Any]], key: str, where: str) -> npt.NDArray[np.str_]:
    """One key as (N,) texts; ``DataError`` where it is something else."""
    array = arrays[key]
    if array.ndim != 1 or array.dtype.kind not in "USOiu":
        raise DataError(f"{where}: {key} of shape {array.shape}, {array.dtype}", "a row of texts")
    return array.astype(np.str_)


def source_name(subject: str, sequence: str, camera: int) -> str:
    """Name of a clip as the file writes it; the take without a suffix is the second.

    >>> source_name("S9", "Greeting", 0)
    's_09_act_05_subact_02_ca_01'
    """
    action, _, take = sequence.partition(" ")
    subaction = 1 if take else 2
    return (
        f"s_{int(subject[1:]):02}_act_{_ACTS[action]:02}_subact_{subaction:02}_ca_{camera + 1:02}"
    )


def write(
    path: str | PathLike[str],
    train: Mapping[tuple[str, str], Motion],
    test: Mapping[tuple[str, str], Motion],
    error: float = 0.0,
    seed: int = 0,
) -> None:
    """A file of the same layout from any motion, for trials without the data set.

    A millimetre is worth focal length / depth of the pelvis pixels, as at the pelvis.

    Args:
        path: such as ``h36m_sh_conf_cam_source_final.pkl``.
        train, test: {(subject, sequence): motion at 50 frames per second}, sequences such as
            ``Walking`` or ``Walking 1``.
        error: standard deviation of the detections, pixels.
        seed: of these errors.

    Raises:
        DataError: as `poselift.data.h36m.write`, or an action that the data set does not have.
    """
    rng = np.random.default_rng(seed)
    data = {
        part: _gathered(motions, part, error, rng)
        for part, motions in (("train", train), ("test", test))
    }
    write_bytes(path, pickle.dumps(data, protocol=4))


def _gathered(
    motions: Mapping[tuple[str, str], Motion], part: str, error: float, rng: np.random.Generator
) -> dict[str, Any]:
    columns: dict[str, list[Any]] = {key: [] for key in (KEYS if part == "train" else TEST_KEYS)}
    for (subject, sequence), motion in motions.items():
        action = sequence.partition(" ")[0]
        if action not in ACTIONS:
            raise DataError(f"{subject}/{sequence}: unknown action", f"one of {', '.join(ACTIONS)}")
        world = in_studio(motion)
        for n, camera in enumerate(cameras(subject)):
            joints = far_enough(in_camera(camera, world), f"{subject}/{sequence}")
            T = len(joints)
            exact = camera.project(joints)
            factor = joints[:, 0, 2] * 1000 / camera.pinhole.focal[0]  # (T,) mm in a pixel
            depth = (joints[..., 2] - joints[:, :1, 2]) * 1000 / factor[:, None]
            image = np.concatenate([exact, depth[..., None]], axis=-1)
            values: dict[str, Any] = {
                "joint_2d": exact + error * rng.normal(size=exact.shape),
                "confidence": np.ones((T, 17, 1)),
                "joint3d_image": image,
                "joints_2.5d_image": image * factor[:, None, None],
                "2.5d_factor": factor,
                "camera_name": [camera.id] * T,
                "source": [source_name(subject, sequence, n)] * T,
                "action": [action] * T,
            }
            for key, column in columns.items():
                column.extend(values[key])
    texts = ("camera_name", "source", "action")
    return {key: c if key in texts else np.asarray(c) for key, c in columns.items()}
