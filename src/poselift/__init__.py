"""poselift: 2D joints in video to 3D motion, fast enough for a small edge device.

>>> import poselift
>>> pose = poselift.read_keypoints("walk.npz")  # doctest: +SKIP
>>> poselift.write_motion(poselift.Lifter().lift(pose), "walk_3d.npz")  # doctest: +SKIP

Names are loaded when they are first used, so that the import costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from poselift import keypoints, models, motion, viewer
    from poselift.conversion import to_h36m
    from poselift.errors import (
        CheckpointError,
        DataError,
        MissingExtraError,
        PoseliftError,
        UsageError,
    )
    from poselift.keypoints import read as read_keypoints
    from poselift.layouts import LAYOUTS, get_layout
    from poselift.motion import read as read_motion
    from poselift.motion import write as write_motion
    from poselift.poses import Pose2D, Pose3D
    from poselift.runtime import Lifter, StreamingLifter
    from poselift.skeleton import H36M_17, Skeleton

__all__ = [
    "H36M_17",
    "LAYOUTS",
    "CheckpointError",
    "DataError",
    "Lifter",
    "MissingExtraError",
    "Pose2D",
    "Pose3D",
    "PoseliftError",
    "Skeleton",
    "StreamingLifter",
    "UsageError",
    "__version__",
    "get_layout",
    "keypoints",
    "models",
    "motion",
    "read_keypoints",
    "read_motion",
    "to_h36m",
    "viewer",
    "write_motion",
]

_ROOMS = {"keypoints", "models", "motion", "viewer"}
_PLACES = {
    "CheckpointError": "errors",
    "DataError": "errors",
    "MissingExtraError": "errors",
    "PoseliftError": "errors",
    "UsageError": "errors",
    "H36M_17": "skeleton",
    "Skeleton": "skeleton",
    "LAYOUTS": "layouts",
    "get_layout": "layouts",
    "Pose2D": "poses",
    "Pose3D": "poses",
    "to_h36m": "conversion",
    "read_keypoints": "keypoints.read",
    "read_motion": "motion.read",
    "write_motion": "motion.write",
    "Lifter": "runtime",
    "StreamingLifter": "runtime",
}
"""Name -> module that holds it, with another name after a dot where it differs."""


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return _room(name)
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, inner = _PLACES[name].partition(".")
    value = getattr(import_module(f"{__name__}.{module}"), inner or name)
    globals()[name] = value  # the next time it is found without coming here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _room(name: str) -> Any:
    try:
        return import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith(__name__):
            raise
        from poselift.errors import MissingExtraError

        raise MissingExtraError(
            f"poselift.{name} needs {error.name}, which is not installed",
            "",
            'pip install "poselift[train]"',
        ) from error
