"""The example for devices, in a virtual environment that has numpy and ONNX Runtime alone."""

from __future__ import annotations

import json
import subprocess
import venv
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from poselift import StreamingLifter
from poselift.data.procedural import generate
from poselift.evaluation.mocap import IMAGE_SIZE, project_views
from poselift.export.onnx import export_onnx
from poselift.runtime.store import find

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "edge" / "lift.py"

RUN = """
import runpy, sys
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
status = open("/proc/self/status").read().splitlines()
peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(peak / 1024, *sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with links to the two packages and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for module in (np, onnxruntime):
        installed = Path(str(module.__file__)).parent
        for place in (installed, installed.with_name(f"{installed.name}.libs")):
            if place.is_dir():
                (packages / place.name).symlink_to(place)
    return folder / "bin" / "python"


def test_short() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 65


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_same_poses_with_little_memory(python: Path, tmp_path: Path) -> None:
    folder = find("nanohtnet-causal").folder
    assert folder is not None
    export_onnx(folder, tmp_path / "network.onnx", weights="float32", raw=True)
    keypoints = project_views(generate("walk", 1.0, 50.0, seed=3))[0].astype(np.float32)
    width, height = IMAGE_SIZE
    keypoints[:2] = np.nan  # nobody yet
    keypoints[9, 5:9] = np.nan
    np.savez(tmp_path / "clip.npz", keypoints=keypoints, width=width, height=height)
    done = subprocess.run(
        [python, "-I", "-c", RUN, EXAMPLE, "network.onnx", "clip.npz", "out.npz"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    peak, *modules = done.stdout.splitlines()[-1].split()
    assert float(peak) < 120
    assert "onnxruntime" in modules
    assert not {"poselift", "torch", "onnx", "scipy"} & set(modules)
    lifter = StreamingLifter("nanohtnet-causal", image_size=IMAGE_SIZE)
    poses = [lifter.push(frame) for frame in keypoints]
    expected = np.stack([pose.joints[0, 0] for pose in poses if pose is not None])
    with np.load(tmp_path / "out.npz") as out:
        np.testing.assert_allclose(out["joints"], expected, atol=1e-4)
        assert json.loads(str(out["fps"])) == 50.0
    np.savez(tmp_path / "clip.npz", keypoints=keypoints, width=width, height=height, fps=30)
    done = subprocess.run(
        [python, "-I", EXAMPLE, "network.onnx", "clip.npz", "other.npz"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        1,
        "clip.npz: 30 frames per second; expected 50\n",
    )
    assert not (tmp_path / "other.npz").exists()
