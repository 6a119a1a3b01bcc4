"""Latency, throughput, memory and error of networks on this machine, in one run.

For each network, backend and precision: the time of one window (batch 1), windows per second at
the best batch size, start and memory in a process of its own, size, and the mean joint error on
the same windows for all. Beside each time stands its floor: multiply-accumulates at the speed of
a large float32 matrix product, and the bytes of its weights at the speed of reading memory, both
measured in turns with the networks (see `poselift.bench.clock`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from poselift import models
from poselift.bench.clock import WARM_UP, Spread, in_turns
from poselift.bench.machine import describe_machine, one_core
from poselift.bench.operations import count_operations
from poselift.bench.probe import probe
from poselift.data.mocap import Motion
from poselift.errors import CheckpointError, UsageError
from poselift.export.formats import SUFFIXES, export
from poselift.export.sample import sample
from poselift.export.trace import IR_VERSION, OPSET
from poselift.runtime.backends import EXPORTED, Backend, Torch

PRECISIONS: Mapping[str, tuple[str, ...]] = {
    "onnxruntime": ("fp32", "int8"),
    "openvino": ("fp32", "bf16", "int8"),
    "litert": ("fp32", "int8"),
    "torch": ("fp32", "bf16"),
}
"""What each backend computes in. torch in fp32 is the network as it is trained."""

MODULES: Mapping[str, str] = {name: name for name in PRECISIONS} | {"litert": "ai_edge_litert"}
"""What Python imports for each."""

FORMATS: Mapping[str, str] = {
    "onnxruntime": "onnx",
    "openvino": "openvino",
    "litert": "litert",
    "torch": "torchscript",
}
"""What each runs."""

BATCHES = (1, 16, 64)
MATRIX = 1024
_READ = 4 * 2**20  # numbers: 16 MiB, more than a second-level cache and less than most third ones
_SAMPLE = 64  # windows for the error
_PRODUCT, _READING = "matrix product", "reading memory"


@dataclass(frozen=True)
class Case:
    """A network to measure.

    Args:
        model: its name.
        backend: key of ``PRECISIONS``.
        precision: one of them.
        folder: its checkpoint.
        file: the exported file; ``None`` for torch as trained.
    """

    model: str
    backend: str
    precision: str
    folder: Path
    file: Path | None

    @property
    def label(self) -> str:
        """One name for it."""
        return f"{self.model} {self.backend} {self.precision}"

    def open(self, threads: int | None) -> Backend:
        """Load it."""
        if self.file is None:
            return Torch(self.folder, threads)
        return EXPORTED[self.file.suffix](self.file, threads)

    @property
    def size(self) -> int:
        """Bytes of its files."""
        if self.file is None:
            return sum(f.stat().st_size for f in self.folder.glob("*.safetensors"))
        files = (self.file, self.file.with_suffix(".bin"))
        return sum(f.stat().st_size for f in files if f.is_file())


@dataclass(frozen=True)
class Row:
    """What was measured of a case with a number of threads.

    Args:
        model, backend, precision, threads: which; ``threads`` is 0 for all cores.
        p50_ms, p95_ms, p99_ms, lowest_ms: time of one window.
        windows_per_second: at ``best_batch``.
        share_of_peak: of the matrix product's rate, at ``best_batch``.
        share_at_batch: the same at each batch size.
        floor_operations_ms, floor_bytes_ms: of one window, see the head of this file.
        multiply_accumulates: of a window, as trained.
        p1_mm: mean joint error.
        size_mb: of the files.
        start_s, load_s, memory_mib: to the first pose, of that to load, and most memory over that
            of a bare interpreter; ``None`` for torch as trained.
    """

    model: str
    backend: str
    precision: str
    threads: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    lowest_ms: float
    windows_per_second: float
    best_batch: int
    share_of_peak: float
    share_at_batch: Mapping[int, float]
    floor_operations_ms: float
    floor_bytes_ms: float
    multiply_accumulates: int
    p1_mm: float
    size_mb: float
    start_s: float | None
    load_s: float | None
    memory_mib: float | None


@dataclass(frozen=True)
class Report:
    """All rows of a run.

    Args:
        rows: one for each case and number of threads.
        machine: see `poselift.bench.machine`.
        method: how it was measured.
    """

    rows: tuple[Row, ...]
    machine: Mapping[str, Any]
    method: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers and texts."""
        return {
            "machine": dict(self.machine),
            "method": dict(self.method),
            "rows": [asdict(row) for row in self.rows],
        }

    def table(self) -> str:
        """As plain text."""
        lines = [_HEAD, *(_cells(row) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                f"{cell:<{n}}" if i == 0 else f"{cell:>{n}}"
                for i, (cell, n) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        )


_HEAD = (
    *("network", "threads", "p50 ms", "p95", "p99", "floor ms", "windows/s", "batch"),
    *("of peak", "P1 mm", "MB", "start s", "memory MiB"),
)


def _cells(row: Row) -> tuple[str, ...]:
    floor = max(row.floor_operations_ms, row.floor_bytes_ms)
    return (
        f"{row.model} {row.backend} {row.precision}",
        str(row.threads or "all"),
        f"{row.p50_ms:.3f}",
        f"{row.p95_ms:.3f}",
        f"{row.p99_ms:.3f}",
        f"{floor:.3f}",
        f"{row.windows_per_second:.0f}",
        str(row.best_batch),
        f"{row.share_of_peak:.0%}",
        f"{row.p1_mm:.1f}",
        f"{row.size_mb:.2f}",
        "" if row.start_s is None else f"{row.start_s:.2f}",
        "" if row.memory_mib is None else f"{row.memory_mib:.0f}",
    )


def prepare(
    folders: Mapping[str, Path],
    backends: Sequence[str],
    precisions: Sequence[str],
    place: Path,
    progress: Callable[[str], None] = lambda text: None,
    *,
    skip: bool = False,
) -> list[Case]:
    """Export what is to be measured.

    Args:
        folders: checkpoint folder of each model, by name.
        backends: keys of ``PRECISIONS``.
        precisions: those wanted; what a backend does not have is left out.
        place: folder for the exported files.
        progress: told what is being done.
        skip: tell ``progress`` of what an export refuses and leave it out, instead of raising.

    Raises:
        UsageError: an unknown backend or precision, nothing left to measure, or a network that
            a format does not have the operators for.
        CheckpointError: an export that differs too much from torch.
    """
    known = {p for of_backend in PRECISIONS.values() for p in of_backend}
    for given, expected in ((backends, set(PRECISIONS)), (precisions, known)):
        wrong = sorted(set(given) - expected)
        if wrong:
            raise UsageError(f"{wrong[0]!r}", f"some of {', '.join(sorted(expected))}")
    cases = []
    for name, folder in folders.items():
        for backend in backends:
            for precision in PRECISIONS[backend]:
                if precision not in precisions:
                    continue
                case = Case(name, backend, precision, folder, None)
                if (backend, precision) != ("torch", "fp32"):
                    progress(f"exporting {case.label}")
                    format = FORMATS[backend]
                    file = place / f"{name}-{backend}-{precision}{SUFFIXES[format]}"
                    try:
                        export(folder, file, format, precision)
                    except (CheckpointError, UsageError) as error:
                        if not skip:
                            raise
                        progress(f"{case.label} left out: {error}")
                        continue
                    case = Case(name, backend, precision, folder, file)
                cases.append(case)
    if not cases:
        raise UsageError("nothing to measure", "a precision that one of the backends has")
    return cases


def measure(
    cases: Sequence[Case],
    *,
    threads: Sequence[int] = (1,),
    rounds: int = 10,
    calls: int = 10,
    motions: Sequence[Motion] = (),
    progress: Callable[[str], None] = lambda text: None,
) -> Report:
    """Measure all cases in one run.

    Args:
        cases: of :func:`prepare`.
        threads: each number is a run of its own; 0 for all cores. With one thread the process is
            bound to one core where the system can.
        rounds, calls: see `poselift.bench.clock.in_turns`.
        motions: motion capture for the error; people made from formulas if there is none.
        progress: told what is being measured.
    """
    progress("start and memory")
    starts = {case.label: probe(case.file) for case in cases if case.file is not None}
    macs = {c.model: _macs(c.folder) for c in cases}
    rows: list[Row] = []
    errors: dict[str, float] = {}
    for count in threads:
        progress(f"{count or 'all'} threads")
        with one_core() if count == 1 else nullcontext():
            rows += _run(cases, count, rounds, calls, macs, starts, errors, motions)
    method = {
        "rounds": rounds,
        "calls": calls,
        "warm_up_calls": WARM_UP,
        "batches": list(BATCHES),
        "peak": f"best of all products of {MATRIX} x {MATRIX} float32 matrices in the same rounds",
        "error": f"P1 over {_SAMPLE} windows of {'--data' if motions else 'procedural motion'}",
    }
    return Report(tuple(rows), describe_machine(), method)


def _run(
    cases: Sequence[Case],
    threads: int,
    rounds: int,
    calls: int,
    macs: Mapping[str, int],
    starts: Mapping[str, Mapping[str, float]],
    errors: dict[str, float],
    motions: Sequence[Motion],
) -> list[Row]:
    contenders: dict[str, Callable[[], object]] = {
        _PRODUCT: matrix_product(threads),
        _READING: partial(np.dot, *(np.ones(_READ, np.float32),) * 2),
    }
    for case in cases:
        network = case.open(threads or None)
        if case.label not in errors:
            shown = sample(network.about, _SAMPLE, motions)
            given = [network(shown.windows[i : i + 16]) for i in range(0, _SAMPLE, 16)]
            errors[case.label] = shown.p1(np.concatenate(given)) * 1000
        rng = np.random.default_rng(0)
        for batch in BATCHES:
            shape = (batch, network.about.window, 17, network.about.channels)
            x = rng.normal(size=shape).astype(np.float32)
            contenders[f"{case.label} {batch}"] = partial(network, x)
    times = in_turns(contenders, rounds, calls)
    peak = MATRIX**3 / min(times[_PRODUCT])  # multiply-accumulates per second
    bandwidth = 4 * _READ / min(times[_READING])  # the same numbers twice: read once
    return [
        _row(case, threads, times, peak, bandwidth, macs[case.model], starts, errors)
        for case in cases
    ]


def _row(
    case: Case,
    threads: int,
    times: Mapping[str, Sequence[float]],
    peak: float,
    bandwidth: float,
    macs: int,
    starts: Mapping[str, Mapping[str, float]],
    errors: Mapping[str, float],
) -> Row:
    spreads = {batch: Spread.of(times[f"{case.label} {batch}"]) for batch in BATCHES}
    rates = {batch: batch / spread.p50 for batch, spread in spreads.items()}
    best = max(rates, key=lambda batch: rates[batch])
    start = starts.get(case.label)
    return Row(
        case.model,
        case.backend,
        case.precision,
        threads,
        p50_ms=1e3 * spreads[1].p50,
        p95_ms=1e3 * spreads[1].p95,
        p99_ms=1e3 * spreads[1].p99,
        lowest_ms=1e3 * spreads[1].lowest,
        windows_per_second=rates[best],
        best_batch=best,
        share_of_peak=rates[best] * macs / peak,
        share_at_batch={batch: rate * macs / peak for batch, rate in rates.items()},
        floor_operations_ms=1e3 * macs / peak,
        floor_bytes_ms=1e3 * case.size / bandwidth,
        multiply_accumulates=macs,
        p1_mm=errors[case.label],
        size_mb=case.size / 1e6,
        start_s=None if start is None else start["start_s"],
        load_s=None if start is None else start["load_s"],
        memory_mib=None if start is None else start["peak_mib"] - start["bare_mib"],
    )


def _macs(folder: Path) -> int:
    return count_operations(models.load(folder)).multiply_accumulates


def matrix_product(threads: int) -> Callable[[], object]:
    """A large float32 product in ONNX Runtime: the most that the processor can do.

    Args:
        threads: 0 for all cores.
    """
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [MATRIX, MATRIX]) for n in "abc"]
    node = helper.make_node("MatMul", ["a", "b"], ["c"])
    model: onnx.ModelProto = helper.make_model(
        helper.make_graph([node], "product", info[:2], info[2:]),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    a = np.random.default_rng(0).normal(size=(MATRIX, MATRIX)).astype(np.float32)
    return partial(session.run, None, {"a": a, "b": a})
