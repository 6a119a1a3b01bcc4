"""What a checkpoint says about itself: ``config.json``, read without torch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from poselift.data.clips import Unit
from poselift.data.windows import Target
from poselift.errors import CheckpointError
from poselift.geometry.normalise import Normalisation
from poselift.skeleton import H36M_17

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "weights.safetensors"
GRAPH_FILE = "model.onnx"


@dataclass(frozen=True)
class About:
    """What must be known to use a network.

    Args:
        model: registered name of the network.
        window: F, frames that it reads.
        num_out: n, frames that it predicts.
        fps: frame rate it was trained at.
        normalisation: of its input.
        target: which frames of the window it predicts.
        confidence: whether it reads the detector's score of each joint as a third number.
        content: all of ``config.json``: also licence, provenance, ...
    """

    model: str
    window: int
    num_out: int
    fps: float
    normalisation: Normalisation
    target: Target
    confidence: bool
    content: Mapping[str, Any]

    @classmethod
    def parse(cls, content: Any, where: str) -> About:
        """Check what ``config.json`` holds; ``where`` names the file in errors.

        Raises:
            CheckpointError: a key is missing or has a value that cannot be used.
        """
        content = checked_content(content, where)

        def value(key: str, of: Mapping[str, Any], good: Any, expected: str) -> Any:
            if key not in of or not good(of[key]):
                found = f"{of[key]!r}" if key in of else "nothing"
                raise CheckpointError(f"{where}: {key} is {found}", expected)
            return of[key]

        def count(key: str) -> int:
            return int(value(key, content["config"], _is_count, "a positive whole number"))

        def choice(key: str, names: tuple[str, ...]) -> str:
            return str(value(key, content, names.__contains__, f"one of {', '.join(names)}"))

        choice("skeleton", (H36M_17.name,))
        if "unit" in content:
            choice("unit", get_args(Unit))
        if "confidence" in content:
            value("confidence", content, lambda v: isinstance(v, bool), "true or false")
        window, num_out = count("num_frames"), count("num_out_frames")
        if num_out > window:
            raise CheckpointError(
                f"{where}: {num_out} frames out of a window of {window}", "at most the window"
            )
        return cls(
            model=content["model"],
            window=window,
            num_out=num_out,
            fps=float(value("fps", content, _is_rate, "a positive number")),
            normalisation=cast(Normalisation, choice("normalisation", get_args(Normalisation))),
            target=cast(Target, choice("target", get_args(Target))),
            confidence=content.get("confidence", False),
            content=content,
        )

    @property
    def channels(self) -> int:
        """Numbers that it reads of each joint."""
        return 3 if self.confidence else 2

    @property
    def licence(self) -> str | None:
        """Licence of the weights, where it is stated."""
        licence = self.content.get("licence")
        return None if licence is None else str(licence)

    @property
    def unit(self) -> Unit:
        """Of what it predicts: ``metres``, or ``half_widths`` if trained on image coordinates."""
        return cast(Unit, self.content.get("unit", "metres"))

    def require_metres(self) -> None:
        """Raise `CheckpointError` if it predicts anything but metres."""
        if self.unit != "metres":
            raise CheckpointError(
                f"{self.model}: predicts {self.unit}, trained on image coordinates",
                "a network that predicts metres",
                "only poselift evaluate --protocol h36m-motionbert can use it",
            )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_rate(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value > 0


def read_config(folder: str | Path) -> dict[str, Any]:
    """The content of ``config.json``; ``CheckpointError`` where it is absent or no such thing."""
    path = Path(folder) / CONFIG_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, no JSON
        raise CheckpointError(
            f"{path}: {error.__class__.__name__}: {error}",
            f"a checkpoint folder with {CONFIG_FILE} and {WEIGHTS_FILE}",
        ) from error
    return checked_content(content, str(path))


def checked_content(content: Any, where: str) -> dict[str, Any]:
    """``content`` if it names a model and its config, else ``CheckpointError``."""
    if not isinstance(content, dict) or not isinstance(content.get("model"), str):
        raise CheckpointError(f"{where}: no key 'model'", f"the {CONFIG_FILE} of a checkpoint")
    if not isinstance(content.get("config"), dict):
        raise CheckpointError(f"{where}: no key 'config'", f"the {CONFIG_FILE} of a checkpoint")
    return content
