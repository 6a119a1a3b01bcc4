"""Entry of the command: find the verb, parse, run, and turn errors into one line and a code.

Exit codes: 0 done, 1 the data or the machine does not allow it, 2 the command line is wrong,
130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches

from poselift import __version__
from poselift.cli.parser import EPILOG, Parser
from poselift.errors import MissingExtraError, PoseliftError, UsageError

VERBS = {
    "lift": "lift a video, or the 2D keypoints of any tool, to 3D motion",
    "stream": "lift frame by frame: JSON lines, a video or a camera in, JSON lines out",
    "setup": "get the detector's weights, to lift videos",
    "demo": "lift a clip that comes with the package and look at it",
    "convert": "turn keypoint and motion files into other forms",
    "view": "look at a motion file in the browser",
    "models": "list the networks",
    "data": "check files of data sets before they are used",
    "evaluate": "measure a network by a named protocol",
    "train": "train a network by a recipe",
    "pretrain": "pre-train an encoder by PoseCLR, without labels",
    "export": "write a network for a device: ONNX, OpenVINO, LiteRT, TorchScript, TensorRT",
    "bench": "measure networks on this machine",
}
"""Every verb and what it does; ``poselift.cli.VERB`` is its module."""

_EXTRAS = {"train": "train", "pretrain": "train", "export": "export", "bench": "export"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments without the program's name; ``None``: those of the process.

    Returns:
        The exit code.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a file name need not be valid text
            stream.reconfigure(errors="backslashreplace")
    try:
        with _stopped_alike():
            _run(arguments)
        sys.stdout.flush()
    except UsageError as error:
        return _fail(str(error), 2)
    except PoseliftError as error:
        return _fail(str(error), 1)
    except KeyboardInterrupt as stop:
        return _fail(str(stop) or "interrupted", 130)
    except MemoryError:
        return _fail("out of memory; lift fewer or shorter files at a time", 1)
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        place = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
        return _fail(f"{place}{error.strerror or error}", 1)
    except SystemExit as stop:  # argparse, after --help or --version
        return stop.code if isinstance(stop.code, int) else 0
    return 0


def _run(arguments: list[str]) -> None:
    if not arguments or arguments[0].startswith("-"):
        _overview().parse_args(arguments or ["--help"])
        return
    verb, *rest = arguments
    if verb not in VERBS:
        near = get_close_matches(verb, VERBS, n=1)
        hint = f"did you mean {near[0]}?" if near else "see poselift --help"
        raise UsageError(f"unknown verb {verb!r}", f"one of {', '.join(VERBS)}", hint)
    module = importlib.import_module(f"poselift.cli.{verb}")
    parser = Parser(prog=f"poselift {verb}", description=f"{module.__doc__}")
    module.add_arguments(parser)
    args = parser.parse_intermixed_args(rest)
    try:
        module.run(args)
    except ModuleNotFoundError as error:
        if isinstance(error, PoseliftError) or verb not in _EXTRAS:
            raise
        raise MissingExtraError(
            f"poselift {verb} needs {error.name}, which is not installed",
            "",
            f'pip install "poselift[{_EXTRAS[verb]}]"',
        ) from error


@contextmanager
def _stopped_alike() -> Iterator[None]:
    """Take SIGTERM, by which other programs stop us, as an interruption from the keyboard."""
    if threading.current_thread() is not threading.main_thread():  # no place for handlers
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _overview() -> Parser:
    width = max(map(len, VERBS)) + 2
    verbs = "\n".join(f"  {verb:<{width}}{summary}" for verb, summary in VERBS.items())
    parser = Parser(
        prog="poselift",
        usage="poselift VERB ...",
        description="Lift the 2D joints of people in video to 3D motion.",
        epilog=f"verbs:\n{verbs}\n\nexample:\n  poselift demo\n\n{EPILOG}",
    )
    parser.add_argument("--version", action="version", version=f"poselift {__version__}")
    return parser


def _fail(message: str, code: int) -> int:
    print(f"poselift: error: {' '.join(message.split())}", file=sys.stderr)
    return code
