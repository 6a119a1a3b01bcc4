"""Where weights are: shipped in the package by name, a checkpoint folder, or an exported file."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from poselift.checkpoints import CONFIG_FILE, GRAPH_FILE
from poselift.errors import CheckpointError, UsageError

EXPORTED = (".onnx", ".xml", ".tflite", ".pt")
"""Extensions of exported files, see `poselift.runtime.backends`."""

# Beside the code on disk: the runtimes map weights into memory and need a real file.
_SHIPPED = Path(__file__).resolve().parents[1] / "weights"


@dataclass(frozen=True)
class Stored:
    """A network that was found.

    Args:
        name: shipped name, or the path as given.
        folder: checkpoint folder; ``None`` for an exported file.
        graph: exported file; ``None`` where there is none.
    """

    name: str
    folder: Path | None
    graph: Path | None


def shipped() -> tuple[str, ...]:
    """Names of the networks in this package, weights included."""
    return tuple(sorted(path.parent.name for path in _SHIPPED.glob(f"*/{CONFIG_FILE}")))


def find(model: str | Path) -> Stored:
    """The weights of ``model``.

    Args:
        model: a shipped name, a checkpoint folder, or an exported file. A name wins
            over a folder called the same; write ``./NAME`` for the folder.

    Raises:
        UsageError: neither a shipped name nor an existing path.
        CheckpointError: a folder without a checkpoint in it.
    """
    name = str(model)
    if isinstance(model, str) and model in shipped():
        return _in_folder(name, _SHIPPED / model)
    try:
        path = Path(model)
        is_folder, is_file = path.is_dir(), path.is_file()
    except (OSError, ValueError, TypeError):  # no path at all, a null character, too long
        is_folder = is_file = False
    if is_folder:
        return _in_folder(name, path)
    if is_file and path.suffix.lower() in EXPORTED:
        return Stored(name, None, path)
    if is_file:
        raise CheckpointError(
            f"{path}: a file", f"a checkpoint folder or an exported {', '.join(EXPORTED)} file"
        )
    close = get_close_matches(name, shipped(), 1)
    raise UsageError(
        f"unknown model {name!r}",
        f"{' or '.join(shipped()) or 'no model is shipped'}, or an existing checkpoint folder",
        f"did you mean {close[0]!r}?" if close else "",
    )


def _in_folder(name: str, folder: Path) -> Stored:
    graph = folder / GRAPH_FILE
    if not (folder / CONFIG_FILE).is_file() and not graph.is_file():
        raise CheckpointError(f"{folder}: no {CONFIG_FILE} in it", "a checkpoint folder")
    return Stored(name, folder, graph if graph.is_file() else None)
