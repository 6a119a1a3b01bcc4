from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch

from poselift import models
from poselift.bench import measure as module
from poselift.bench.measure import Case, Report, measure, prepare
from poselift.bench.plot import plot
from poselift.bench.probe import probe
from poselift.errors import UsageError
from poselift.models.checkpoint import save_checkpoint
from poselift.models.registry import REGISTRY

ABOUT = {"skeleton": "h36m-17", "fps": 50.0, "normalisation": "person", "target": "centre"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("tiny") / "tiny"
    save_checkpoint(path, "martinez", models.create("martinez", **REGISTRY["martinez"].tiny), ABOUT)
    return path


@pytest.fixture(scope="module")
def cases(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    place = tmp_path_factory.mktemp("exports")
    return prepare({"tiny": folder}, ("onnxruntime", "torch"), ("fp32",), place)


@pytest.fixture(scope="module")
def report(cases: list[Case]) -> Report:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MATRIX", 64)
        patch.setattr(module, "_READ", 4096)
        patch.setattr(module, "_SAMPLE", 20)
        return measure(cases, threads=(1, 0), rounds=2, calls=3)


def test_every_case_has_a_row(cases: list[Case], report: Report) -> None:
    assert [case.label for case in cases] == ["tiny onnxruntime fp32", "tiny torch fp32"]
    rows = [(row.backend, row.threads) for row in report.rows]
    assert rows == [("onnxruntime", 1), ("torch", 1), ("onnxruntime", 0), ("torch", 0)]


def test_figures_fit_together(report: Report) -> None:
    for row in report.rows:
        assert 0 < row.lowest_ms <= row.p50_ms <= row.p95_ms <= row.p99_ms
        assert row.best_batch in module.BATCHES
        # share of the peak is rate times operations, and so is one over the floor
        expected = row.windows_per_second * row.floor_operations_ms / 1e3
        assert row.share_of_peak == pytest.approx(expected, rel=1e-6)
        assert row.share_of_peak == max(row.share_at_batch.values())
        assert row.windows_per_second * 1e-3 >= 0.999 / row.p50_ms
    first, second = report.rows[:2]
    assert first.p1_mm == pytest.approx(second.p1_mm, abs=1e-3)
    assert first.multiply_accumulates == second.multiply_accumulates > 0
    assert first.start_s is not None
    assert first.load_s is not None
    assert first.memory_mib is not None
    assert first.start_s > first.load_s > 0
    assert 5 < first.memory_mib < 300
    assert second.start_s is None


def test_written_and_drawn(report: Report) -> None:
    content = json.loads(json.dumps(report.to_dict()))
    assert set(content) == {"machine", "method", "rows"}
    assert content["machine"]["cores"] >= 1
    assert content["method"]["warm_up_calls"] == 3
    table = report.table().splitlines()
    assert len(table) == 1 + len(report.rows)
    assert len({len(line.rstrip()) > 0 for line in table}) == 1
    root = ElementTree.fromstring(plot(report.rows))
    circles = root.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == len(report.rows)
    assert all(70 <= float(circle.attrib["cx"]) <= 510 for circle in circles)


def test_probe_imports_no_torch(cases: list[Case]) -> None:
    file = cases[0].file
    assert file is not None
    found = probe(file)
    assert found["peak_mib"] > found["bare_mib"] > 1
    assert found["peak_mib"] < 150  # torch alone takes more


@pytest.mark.parametrize(
    ("backends", "precisions", "message"),
    [
        (("gpu",), ("fp32",), "'gpu'"),
        (("torch",), ("fp7",), "'fp7'"),
        (("torch",), ("int8",), "nothing"),
    ],
)
def test_bad_choices(
    folder: Path, tmp_path: Path, backends: Any, precisions: Any, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        prepare({"tiny": folder}, backends, precisions, tmp_path)


def test_a_format_that_refuses_is_left_out_unless_it_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from poselift.cli.main import main

    torch.manual_seed(0)
    network = models.create("mixste+hot", **REGISTRY["mixste+hot"].tiny)
    save_checkpoint(tmp_path / "hot", "mixste+hot", network, ABOUT)
    monkeypatch.setattr(module, "MATRIX", 64)
    monkeypatch.setattr(module, "_READ", 4096)
    monkeypatch.setattr(module, "BATCHES", (1,))
    monkeypatch.setattr(module, "MODULES", {"litert": "sys", "torch": "sys"})
    argv = ["bench", str(tmp_path / "hot"), "--precisions", "fp32", "--rounds", "1", "--calls", "1"]
    assert main(argv) == 0
    out, err = capsys.readouterr()
    assert "hot litert fp32 left out: LiteRT for a network with the operator" in err
    assert [line.split()[1] for line in out.splitlines()[1:-1]] == ["torch"]
    assert main([*argv, "--backends", "litert,torch"]) == 2
    assert "with the operator" in capsys.readouterr().err


def test_the_verb(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from poselift.cli.main import main

    monkeypatch.setattr(module, "MATRIX", 64)
    monkeypatch.setattr(module, "_READ", 4096)
    call: Callable[..., int] = main
    files = tmp_path / "b.json", tmp_path / "b.svg"
    argv = ["bench", str(folder), "--backends", "torch", "--precisions", "fp32", "--rounds", "1"]
    assert call([*argv, "--calls", "2", "--json", str(files[0]), "--plot", str(files[1])]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("tiny torch fp32")
    assert len(json.loads(files[0].read_text())["rows"]) == 1
    assert files[1].read_text().startswith("<svg")
    assert call(["bench", str(folder), "--backends", "gpu"]) == 2
    twin = shutil.copytree(folder, tmp_path / folder.name)
    capsys.readouterr()
    assert call(["bench", str(folder), str(twin), "--backends", "torch"]) == 2
    assert "two networks by the name of tiny" in capsys.readouterr().err
    assert call(["bench", str(folder), "--threads", "none"]) == 2
