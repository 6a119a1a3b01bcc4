"""What every motion file says about itself: the part that all formats share."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
import numpy.typing as npt

import poselift
from poselift.errors import DataError, PoseliftError, UsageError
from poselift.poses import Pose3D
from poselift.skeleton import H36M_17, Skeleton

FORMAT = "poselift-motion-1"
"""Name and version of the content, the same in every format that can be read back."""

FRAME = "camera"
AXES = "x right, y down, z forward"
UNITS = "metres"


def describe(pose: Pose3D) -> dict[str, Any]:
    """Metadata of a motion file, ready for JSON.

    The keys ``format, skeleton, frame, axes, joints_relative_to, units`` follow from the pose;
    ``model, weights_licence, source, version`` are always there, ``None`` when ``pose.meta``
    does not know them (``version``: that of poselift); then the rest of ``pose.meta``.

    Raises:
        UsageError: ``pose.meta`` holds a value that JSON has no form for.
    """
    known = {
        "model": None,
        "weights_licence": None,
        "source": None,
        "version": poselift.__version__,
    }
    fixed = {
        "format": FORMAT,
        "skeleton": pose.skeleton.name,
        "frame": FRAME,
        "axes": AXES,
        "joints_relative_to": pose.skeleton.root,
        "units": UNITS,
    }
    # `fixed` first for the reader's eye, and last because it is what the arrays are.
    merged = fixed | known | _plain(pose.meta, "meta") | fixed
    return dict(merged)


def rebuild(arrays: Mapping[str, npt.NDArray[Any]], names: Any, parents: Any, meta: Any) -> Pose3D:
    """The pose that a file holds, checked.

    Args:
        arrays: ``joints, root, keypoints, scores, track_ids, times, fps`` as read.
        names: (J,) joint names.
        parents: (J,) index of each joint's parent, -1 for none.
        meta: the decoded metadata.

    Raises:
        DataError: anything that is not as `poselift.motion.npz` says.
        ValueError, TypeError: values that are not even of the right kind; see `in_file`.
    """
    meta = _checked_meta(meta)
    for key, array in arrays.items():
        kinds = "iu" if key == "track_ids" else "iuf"
        if array.dtype.kind not in kinds:
            raise DataError(f"{key} of type {array.dtype}", "numbers")
    with np.errstate(over="ignore"):  # too large for float32: infinite, and refused as such
        pose = Pose3D(
            joints=arrays["joints"],
            root=arrays["root"],
            keypoints=arrays["keypoints"],
            scores=arrays["scores"],
            skeleton=_skeleton(names, parents, meta),
            fps=float(arrays["fps"].item()),
            times=arrays["times"],
            track_ids=arrays["track_ids"],
            meta=meta,
        )
    finite_or_absent(pose)
    return pose


def finite_or_absent(pose: Pose3D) -> None:
    """``DataError`` if the pose holds infinite numbers, which no file may carry."""
    for name in ("joints", "root", "keypoints", "scores"):
        if np.isinf(getattr(pose, name)).any():
            raise DataError(f"infinite numbers in {name}", "finite ones, or NaN where absent")


def decimals(values: npt.NDArray[Any]) -> list[Any]:
    """Nested lists of Python floats whose text is the shortest that gives the float32 back.

    >>> decimals(np.float32([0.1, np.nan]))
    [0.1, None]
    """
    # float(np.float32(0.1)) would print as 0.10000000149011612.
    short = values.astype(np.float32).astype("U32").astype(np.float64)
    nested = np.where(np.isnan(short), None, short.astype(object))  # type: ignore[call-overload]  # numpy's stubs know no None
    return list(nested.tolist())


def _checked_meta(meta: Any) -> dict[str, Any]:
    """Metadata read from a file; ``DataError`` if its frame or units are not ours."""
    if not isinstance(meta, dict):
        raise DataError(f"meta is {type(meta).__name__}", "a JSON object")
    for key, expected in (("format", FORMAT), ("frame", FRAME), ("units", UNITS)):
        # Never read millimetres, or a later format, as if they were ours.
        if meta.get(key) != expected:
            raise DataError(
                f"meta has {key} {json.dumps(meta.get(key))}",
                json.dumps(expected),
                "write the file again with this version of poselift",
            )
    return meta


def _skeleton(names: Any, parents: Any, meta: Mapping[str, Any]) -> Skeleton:
    """The skeleton that a file describes by joint names and parent indices (-1: none).

    Raises:
        DataError: names and parents do not fit together.
    """
    joints = tuple(str(name) for name in names)
    links = [int(parent) for parent in parents]
    if len(links) != len(joints) or any(not -1 <= p < len(joints) for p in links):
        raise DataError(f"parents {links} for {len(joints)} joints", "one index for each, or -1")
    tree = {joints[child]: joints[parent] for child, parent in enumerate(links) if parent >= 0}
    root = meta.get("joints_relative_to")
    if root is not None and root not in joints:
        raise DataError(f"joints relative to {root!r}", "the name of a joint")
    skeleton = Skeleton(str(meta.get("skeleton")), joints, tree, root)
    return H36M_17 if skeleton == H36M_17 else skeleton


def in_file(path: object, error: Exception) -> DataError:
    """``error`` again, saying in which file."""
    text = str(error) if isinstance(error, PoseliftError) else f"not a motion file ({error})"
    return DataError(f"{path}: {text}")


def _plain(value: Any, where: str) -> Any:
    """``value`` in the types of JSON; numbers that JSON does not have become ``None``."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):  # a file name need not be valid text
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, PurePath):
        return _plain(str(value), where)
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, where) for item in value]
    raise UsageError(
        f"{where} is of type {type(value).__name__}", "text, numbers, lists or mappings"
    )
