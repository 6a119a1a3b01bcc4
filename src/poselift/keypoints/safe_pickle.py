"""A reader for pickled numpy object arrays that can build data and nothing else.

The npz files of the field (``data_2d_h36m_*.npz``, VideoPose3D's custom files, Detectron's raw
output) hold dictionaries and lists of arrays as pickles. ``np.load(allow_pickle=True)`` would run
whatever code such a file names. Here every name that a pickle may ask for is answered by a
stand-in of ours: not even numpy's own unpickling runs, whose array state could be forged to
point into memory.
"""

from __future__ import annotations

import collections
import io
import math
import pickle
import pickletools
import re
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError

_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
_MAX_DEPTH = 100
_CODE = re.compile(r"[<>=|]?[fiubOUS][0-9]{0,6}")


class _RefusedError(Exception):
    """The pickle asks for something that is not plain data."""


class _DType:
    """Stands for a dtype of plain numbers, text, or objects; keeps its code and byte order."""

    def __init__(self, code: Any = None, *_: Any) -> None:
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            raise _RefusedError(f"arrays of type {code!r}")
        self.code = code

    def __setstate__(self, state: Any) -> None:
        # (version, byte order, subtype, names, fields, item size, alignment, flags, ...)
        if not isinstance(state, tuple) or len(state) < 5 or any(state[2:5]):
            raise _RefusedError("structured arrays")
        if state[1] in ("<", ">"):
            self.code = state[1] + self.code.lstrip("<>=|")

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.code)


class _Array:
    """Stands for an array until its state arrives."""

    def __init__(self, *_: Any) -> None:
        self.state: tuple[Any, ...] | None = None

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise _RefusedError("an array of unknown form")
        self.state = state

    def build(self, depth: int) -> npt.NDArray[Any]:
        if self.state is None:
            raise _RefusedError("an array without content")
        _, shape, kind, fortran, data = self.state
        if not (
            isinstance(shape, tuple)
            and all(isinstance(n, int) and n >= 0 for n in shape)
            and isinstance(kind, _DType)
        ):
            raise _RefusedError("an array of unknown form")
        count = math.prod(shape)
        dtype = kind.dtype
        if dtype.hasobject:
            if not isinstance(data, list) or len(data) != count:
                raise _RefusedError("an object array of the wrong length")
            out = np.empty(count, dtype=object)
            for n, item in enumerate(data):
                out[n] = _built(item, depth)
        else:
            if isinstance(data, str):  # bytes as Python 2 wrote them
                data = data.encode("latin-1")
            if not isinstance(data, bytes) or len(data) != count * dtype.itemsize:
                raise _RefusedError("an array of the wrong length")
            out = np.frombuffer(data, dtype=dtype).copy()
        return out.reshape(shape, order="F" if fortran else "C")


def _reconstruct(kind: Any, *_: Any) -> _Array:
    if kind is not _Array:
        raise _RefusedError("an array of a class of its own")
    return _Array()


def _scalar(kind: Any = None, data: Any = b"", *_: Any) -> Any:
    """One numpy number, as the Python number."""
    if isinstance(data, str):
        data = data.encode("latin-1")
    if not isinstance(kind, _DType) or not isinstance(data, bytes):
        raise _RefusedError("a number of unknown form")
    if kind.dtype.hasobject or len(data) != kind.dtype.itemsize:
        raise _RefusedError("a number of the wrong length")
    return np.frombuffer(data, dtype=kind.dtype)[0].item()


def _encode(text: Any, codec: Any = "latin1") -> bytes:
    """``bytes`` as pickle protocol 2 writes them."""
    if not isinstance(text, str) or codec not in ("latin1", "latin-1"):
        raise _RefusedError("encoded text")
    return text.encode("latin-1")


def _no_bytes() -> bytes:
    """``b""`` as pickle protocol 2 writes it."""
    return b""


_NAMES: dict[tuple[str, str], Any] = {
    ("numpy", "dtype"): _DType,
    ("numpy", "ndarray"): _Array,
    ("_codecs", "encode"): _encode,
    ("builtins", "bytes"): _no_bytes,
    ("__builtin__", "bytes"): _no_bytes,
    ("collections", "OrderedDict"): collections.OrderedDict,
    **{(module, "_reconstruct"): _reconstruct for module in _ARRAY_MODULES},
    **{(module, "scalar"): _scalar for module in _ARRAY_MODULES},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _NAMES:
            return _NAMES[module, name]
        raise _RefusedError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise _RefusedError("a reference to the outside")


def _built(value: Any, depth: int) -> Any:
    """``value`` with every stand-in replaced by what it stands for."""
    if depth > _MAX_DEPTH:
        raise _RefusedError("data nested too deep")
    if isinstance(value, _Array):
        return value.build(depth + 1)
    if isinstance(value, dict):
        return {_key(k): _built(v, depth + 1) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_built(item, depth + 1) for item in value)
    if value is None or isinstance(value, (str, bytes, int, float)):
        return value
    raise _RefusedError(f"an object of type {type(value).__name__}")


def _key(value: Any) -> Any:
    if not isinstance(value, (str, bytes, int, float)):
        raise _RefusedError("a dictionary with odd keys")
    return value


def _check_operations(data: bytes) -> None:
    """Refuse memory bombs: a place in the memo far beyond the number of operations."""
    for n, (operation, argument, _) in enumerate(pickletools.genops(data)):
        if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and (argument or 0) > n:
            raise _RefusedError("a forged memo")


def loads(data: bytes, where: str) -> Any:
    """The plain data that a pickle holds: numbers, text, containers and numpy arrays.

    Args:
        data: the pickle.
        where: file and key, for the message.

    Raises:
        DataError: a broken pickle, or one that asks for anything else. Nothing was run.
    """
    try:
        _check_operations(data)
        return _built(_Unpickler(io.BytesIO(data), encoding="latin1").load(), 0)
    except _RefusedError as refused:
        raise DataError(
            f"{where}: pickled objects other than data ({refused})",
            "numbers, text, lists, dictionaries and arrays",
            "the file was not opened any further",
        ) from None
    except Exception as error:  # a broken pickle can raise nearly anything
        reason = str(error) or type(error).__name__
        raise DataError(f"{where}: broken pickle ({reason})", "a whole file") from None
