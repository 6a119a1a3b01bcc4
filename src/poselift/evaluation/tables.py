"""Errors as numbers in millimetres and as rows of a table: what all reports share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from poselift.metrics.accumulate import PoseErrors
from poselift.skeleton import H36M_17, Skeleton

COLUMNS = {
    "p1_mm": "P1",
    "p2_mm": "P2",
    "n_mpjpe_mm": "N-MPJPE",
    "mpjve_mm_per_frame": "MPJVE",
    "acceleration_mm_per_frame2": "accel",
    "end_joints_mm": "ends",
}
"""Errors of a table, by their key in a report."""


def merged(parts: Iterable[PoseErrors], skeleton: Skeleton = H36M_17) -> PoseErrors:
    """All that several gatherings have seen."""
    gathered = PoseErrors(skeleton)
    for part in parts:
        gathered.merge(part)
    return gathered


def errors_mm(errors: PoseErrors) -> dict[str, Any]:
    """Every error in millimetres; ``None`` where there is nothing to average."""
    return {
        "poses": errors.frames,
        "undefined": {
            "p1": errors.p1.undefined,
            "p2": errors.p2.undefined,
            "n_mpjpe": errors.n_mpjpe.undefined,
            "mpjve": errors.mpjve.undefined,
            "acceleration": errors.acceleration.undefined,
        },
        "p1_mm": _mm(errors.p1.value),
        "p2_mm": _mm(errors.p2.value),
        "n_mpjpe_mm": _mm(errors.n_mpjpe.value),
        "mpjve_mm_per_frame": _mm(errors.mpjve.value),
        "acceleration_mm_per_frame2": _mm(errors.acceleration.value),
        "end_joints_mm": _mm(errors.end_joints),
        "per_joint_mm": {
            joint: _mm(mean.value)
            for joint, mean in zip(errors.skeleton.joints, errors.per_joint, strict=True)
        },
    }


def unweighted_mean(groups: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The mean of what `errors_mm` gives of several groups, each with the same weight.

    Poses and undefined errors are added up. ``None`` where a group has none.
    """
    out: dict[str, Any] = {}
    for key, first in groups[0].items():
        values = [group[key] for group in groups]
        if key == "poses":
            out[key] = sum(values)
        elif key == "undefined":
            out[key] = {name: sum(value[name] for value in values) for name in first}
        elif isinstance(first, dict):
            out[key] = {name: _mean([value[name] for value in values]) for name in first}
        else:
            out[key] = _mean(values)
    return out


def number(value: float | None) -> str:
    """A cell of a table."""
    return "-" if value is None else f"{value:.2f}"


def cells(errors: dict[str, Any]) -> list[str]:
    """The cells of one row: `COLUMNS`, poses, and the most undefined ones of any error."""
    worst = max(errors["undefined"].values())
    return [*(number(errors[key]) for key in COLUMNS), str(errors["poses"]), str(worst)]


def header(first: str = "") -> str:
    """The row above those of `cells`."""
    return row(first, [*COLUMNS.values(), "poses", "undefined"])


def row(first: str, cells: list[str]) -> str:
    """A line of a table."""
    return f"{first:<16}" + "".join(f"{cell:>10}" for cell in cells)


def joined(lines: Iterable[str]) -> str:
    """Lines as text that ends in a line break."""
    return "\n".join(line.rstrip() for line in lines) + "\n"


def lifting(how: Mapping[str, Any]) -> str:
    """A line on how the lifter lifted, see `poselift.evaluation.lifting.Watched`.

    >>> how = {"network": "mixste", "window": 81, "windows": "tiled", "stride": 81}
    >>> how |= {"network_fps": 50.0, "source_fps": 25.0, "repair": False}
    >>> how |= {"confidence": True, "scores": False}
    >>> for part in lifting(how).split("; "):
    ...     print(part)
    lifted by mixste: windows of 81 frames, tiled, stride 81
    resampled from 25 to 50 frames a second
    exchanged sides left
    confidence read, of which the data have none
    """
    if not how or None in how.values():
        name = how.get("network")
        return f"lifted by {name}, which does not say how" if name else "lifter not described"
    used = how["windows"] if how["windows"] != "newest" else "for the newest frame each"
    source, fps = how["source_fps"], how["network_fps"]
    confidence = "read" if how["confidence"] else "not read"
    if how["confidence"] and not how["scores"]:
        confidence += ", of which the data have none"
    return "; ".join(
        (
            f"lifted by {how['network']}: windows of {how['window']} frames, {used}, "
            f"stride {how['stride']}",
            f"{fps:g} frames a second"
            if source == fps
            else f"resampled from {source:g} to {fps:g} frames a second",
            f"exchanged sides {'put back' if how['repair'] else 'left'}",
            f"confidence {confidence}",
        )
    )


def flips(flip: bool) -> str:
    """How a report says whether predictions are means with those of the mirrored input."""
    return f"{'with' if flip else 'no'} flip averaging"


def _mm(metres: float) -> float | None:
    return None if np.isnan(metres) else round(metres * 1000, 6)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 6) if len(known) == len(values) else None
