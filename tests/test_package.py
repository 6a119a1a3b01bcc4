"""The package as a whole: what it exports, what it imports, what is in it."""

from __future__ import annotations

import importlib.metadata
import json
import pkgutil
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path

import pytest

import poselift

PROJECT = Path(__file__).resolve().parents[1]

CORE = ("checkpoints", "conversion", "errors", "layouts", "poses", "skeleton")
CORE_ROOMS = (
    "cli",
    "evaluation",
    "geometry",
    "keypoints",
    "metrics",
    "motion",
    "runtime",
    "viewer",
)
CORE_MODULES = ("data.mocap", "data.procedural", "data.windows")
HEAVY = ("torch", "onnxruntime", "onnx", "scipy", "rich", "lightning_fabric", "safetensors")


def modules() -> list[str]:
    return [
        found.name
        for found in pkgutil.walk_packages(poselift.__path__, "poselift.")
        if not found.name.endswith("__main__")
    ]


def is_core(module: str) -> bool:
    """Whether a module must work with numpy and onnxruntime alone."""
    name = module.removeprefix("poselift.")
    return (
        name in CORE
        or name in CORE_MODULES
        or name == "data"
        or name.partition(".")[0] in CORE_ROOMS
    )


def run(code: str) -> str:
    """Standard output of Python code in a process with an empty command line."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_exported_names_are_these():
    assert sorted(poselift.__all__) == sorted(
        """
        H36M_17 LAYOUTS CheckpointError DataError Lifter MissingExtraError Pose2D Pose3D
        PoseliftError Skeleton StreamingLifter UsageError __version__ get_layout keypoints models
        motion read_keypoints read_motion to_h36m viewer write_motion
        """.split()
    )


@pytest.mark.parametrize("name", poselift.__all__)
def test_exported_name_is_there(name):
    assert getattr(poselift, name) is not None
    assert name in dir(poselift)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Liftr'"):
        _ = poselift.Liftr


def test_import_is_light():
    """What costs time must be out; `benchmarks/import_time.py` measures."""
    loaded = json.loads(run("import json, sys, poselift; print(json.dumps(list(sys.modules)))"))
    roots = {name.partition(".")[0] for name in loaded}
    assert "poselift" in roots
    assert not roots & {"numpy", *HEAVY}


def test_core_imports_without_any_extra():
    """In one process: every module of the core with torch and the rest made unimportable."""
    core = [module for module in modules() if is_core(module)]
    assert len(core) > 40
    blocked = [name for name in HEAVY if name != "onnxruntime"]
    run(
        "import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({blocked!r}))\n"
        f"for module in {core!r}: importlib.import_module(module)\n"
    )


def test_every_other_module_imports_with_an_empty_command_line():
    others = [module for module in modules() if not is_core(module)]
    assert others
    run(f"import importlib\nfor module in {others!r}: importlib.import_module(module)\n")


@pytest.mark.parametrize("name", ["models"])
def test_without_torch_the_message_names_the_extra(name):
    text = run(
        "import sys\nsys.modules['torch'] = None\nimport poselift\n"
        f"try: poselift.{name}\nexcept poselift.MissingExtraError as error: print(error)\n"
    )
    assert "torch" in text
    assert 'pip install "poselift[train]"' in text


def test_version_is_the_same_everywhere():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert poselift.__version__ == project["version"]
    assert f"## {poselift.__version__}" in (PROJECT / "CHANGELOG.md").read_text()


def test_core_needs_numpy_and_onnxruntime_only():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    names = {requirement.partition(">")[0] for requirement in project["dependencies"]}
    assert names == {"numpy", "onnxruntime"}


def test_installed_package_is_this_version():
    try:
        installed = importlib.metadata.version("poselift")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("runs from the source folder, without an installation")
    assert installed == poselift.__version__


@pytest.mark.parametrize("path", ["py.typed", "viewer/page.html"])
def test_files_that_are_no_modules_are_in_the_package(path):
    assert resources.files("poselift").joinpath(path).is_file()


@pytest.mark.parametrize("name", ["htnet", "nanohtnet", "nanohtnet-causal"])
def test_network_is_shipped_with_its_card(name):
    folder = resources.files("poselift").joinpath("weights", name)
    for file in ("config.json", "weights.safetensors", "model.onnx", "MODEL_CARD.md"):
        assert folder.joinpath(file).is_file(), file
    card = folder.joinpath("MODEL_CARD.md").read_text(encoding="utf-8")
    assert "mocap.cs.cmu.edu" in card
    assert "NSF EIA-0196217" in card
    assert json.loads(folder.joinpath("config.json").read_text())["licence"] in card


def test_all_weights_together_are_small():
    folder = Path(str(resources.files("poselift").joinpath("weights")))
    assert 0 < sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 40e6
