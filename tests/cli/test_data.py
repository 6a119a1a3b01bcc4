"""`poselift data check` and the exit codes."""

from __future__ import annotations

import json
import pickle
import re
import shutil
from fractions import Fraction

import numpy as np
import pytest
from dataset_files import motion, npz_content, write_all, write_npz
from samples import write_recipe

from poselift.data import h36m, motionbert, mpi_inf_3dhp
from poselift.skeleton import H36M_17


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sets")
    write_all(path)
    return path


def test_whole_files(command, folder):
    files = sorted(folder.glob("*"))
    done = command("data", "check", *files)
    assert (done.code, done.err) == (0, "")
    assert done.out.count("no problems") == len(files) == 5
    assert "note: " in done.out


def test_a_problem_is_exit_code_1(command, folder, tmp_path):
    joints = npz_content(folder / h36m.FILE_3D, "positions_3d")
    joints["S9"]["Eating"] = joints["S9"]["Eating"] * np.float32(1000)
    write_npz(tmp_path / "mm.npz", positions_3d=joints)
    done = command("data", "check", tmp_path / "mm.npz", folder / motionbert.FILE)
    assert done.code == 1
    assert "problem: S9/Eating: thighs of" in done.out
    assert done.out.count("no problems") == 1
    assert done.err == "poselift: error: 1 of 2 files with problems; see above\n"


def test_the_files_after_an_unreadable_one_are_checked(command, folder, tmp_path):
    (tmp_path / "text.npz").write_bytes(b"nothing")
    np.savez(tmp_path / "other.npz", keypoints=np.zeros(3))
    np.savez(tmp_path / "code.npz", data=np.array(Fraction(1), dtype=object))
    (tmp_path / "code.pkl").write_bytes(pickle.dumps(Fraction(1)))
    names = ("missing.npz", "text.npz", "other.npz", "code.npz", "code.pkl", ".")
    done = command("data", "check", *(tmp_path / name for name in names), folder / h36m.FILE_3D)
    assert done.code == 1
    told = (
        "no such file",
        "damaged archive",
        "holds keypoints; expected",
        "pickled objects other than data",
        "pickled objects other than data",
        "is a folder",
    )
    for name, message in zip(names, told, strict=True):
        problem = rf"{tmp_path / name}: cannot be checked\n  problem: .*{message}"
        assert re.search(problem, done.out), (name, done.out)
    assert done.out.count("cannot be checked") == len(names)
    assert done.out.endswith("  no problems\n")
    assert done.err == "poselift: error: 6 of 7 files with problems; see above\n"


def test_bad_calls(command, folder, tmp_path):
    assert command("data", "check").code == 2
    assert command("data", "mend", folder / h36m.FILE_3D).code == 2
    missing = command("data", "check", tmp_path / "x.npz")
    assert (missing.code, missing.err.count("\n")) == (1, 1)
    assert "poselift data check" in command("data", "--help").out


def test_every_protocol_prints_itself(command, checkpoint, folder, tmp_path):
    for protocol, data in (
        ("h36m", folder),
        ("h36m-motionbert", folder),
        ("h36m-motionbert", folder / motionbert.FILE),
        ("3dhp", folder),
        ("3dhp", folder / mpi_inf_3dhp.TEST_FILE),
    ):
        out = tmp_path / "r.json"
        arguments = ("--model", checkpoint, "--threads", 1, "--data", data, "--json", out)
        done = command("evaluate", "--protocol", protocol, *arguments, "--flip")
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith(f"protocol {protocol}, with flip averaging; ")
        assert f'"protocol": "{protocol}"' in out.read_text()


def test_options_of_another_protocol(command, checkpoint, folder):
    def evaluate(*more):
        return command("evaluate", "--model", checkpoint, "--data", folder, *more)

    for options in (
        ("--protocol", "h36m", "--noise", "gt"),
        ("--protocol", "3dhp", "--keypoints", "gt"),
        ("--protocol", "mocap", "--keypoints", "gt"),
    ):
        done = evaluate(*options)
        assert (done.code, done.err.count("\n")) == (2, 1)
    missing = evaluate("--protocol", "h36m", "--keypoints", "cpn_ft_h36m_dbb")
    assert missing.code == 1
    assert "data_2d_h36m_cpn_ft_h36m_dbb.npz: no such file" in missing.err


def test_a_network_in_image_coordinates_is_measured_by_its_own_protocol(
    command, checkpoint, folder, tmp_path
):
    image = tmp_path / "image"
    shutil.copytree(checkpoint, image)
    about = json.loads((image / "config.json").read_text())
    (image / "config.json").write_text(json.dumps(about | {"unit": "half_widths"}))
    for protocol, code in (("h36m", 1), ("3dhp", 1), ("h36m-motionbert", 0)):
        done = command("evaluate", "--model", image, "--protocol", protocol, "--data", folder)
        assert done.code == code
    assert "predictions: half image widths x 2.5D factor" in done.out


def test_a_network_in_image_coordinates_does_not_lift(command, checkpoint, walk_file, tmp_path):
    about = json.loads((checkpoint / "config.json").read_text())
    image = shutil.copytree(checkpoint, tmp_path / "image")
    (image / "config.json").write_text(json.dumps(about | {"unit": "half_widths"}))
    done = command("lift", walk_file, "--model", image, "-o", tmp_path / "out")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "half_widths" in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("data_set", ["h36m", "h36m-motionbert", "3dhp"])
def test_train_and_evaluate_on_every_set(command, recipe, checkpoint, folder, tmp_path, data_set):
    """From the files to the table; training helps."""

    def measured(model) -> float:
        out = tmp_path / "report.json"
        options = ("--threads", 1, "--protocol", data_set, "--data", folder, "--json", out)
        done = command("evaluate", "--model", model, *options)
        assert done.code == 0, done.err
        assert done.out.startswith(f"protocol {data_set}, ")
        report = json.loads(out.read_text())
        return report["all" if data_set == "3dhp" else "average"]["p1_mm"]

    schedule = ("train.steps=50", "train.validate_every=50", "train.learning_rate=0.01")
    changes = (f"data.set={data_set}", "train.batch_size=16", *schedule)
    done = command("train", recipe, *changes, "--data", folder, "-o", tmp_path / "run")
    assert done.code == 0, done.err
    assert measured(tmp_path / "run") < 0.7 * measured(checkpoint)


def test_exchanged_sides_are_measured_as_they_come(command, checkpoint, tmp_path):
    """A protocol that puts them back would measure another input than the file's."""
    motions = {(subject, "Walking"): motion(0, 1.0) for subject in h36m.TEST}
    h36m.write(tmp_path, motions)
    views = npz_content(tmp_path / h36m.keypoints_file("gt"), "positions_2d")
    metadata = npz_content(tmp_path / h36m.keypoints_file("gt"), "metadata")
    for view in views["S9"]["Walking"]:
        view[20:26] = view[20:26, list(H36M_17.mirror_indices)]
    write_npz(tmp_path / h36m.keypoints_file("gt"), positions_2d=views, metadata=metadata)

    def measured(*options) -> dict:
        out = tmp_path / "report.json"
        argv = ("evaluate", "--model", checkpoint, "--protocol", "h36m", "--data", tmp_path)
        done = command(*argv, "--json", out, *options)
        assert done.code == 0, done.err
        assert f"stride {json.loads(out.read_text())['lifting']['stride']}" in done.out
        return json.loads(out.read_text())

    plain, mended = measured(), measured("--repair", "yes")
    assert (plain["lifting"]["repair"], mended["lifting"]["repair"]) == (False, True)
    assert plain["average"]["p1_mm"] != mended["average"]["p1_mm"]
    assert measured("--repair", "no")["average"] == plain["average"]
    # A network for three of nine frames: published is the middle one.
    assert plain["lifting"]["windows"] == "centre"
    assert measured("--windows", "centre")["average"] == plain["average"]
    blended = measured("--windows", "blended")
    assert blended["lifting"]["windows"] == "blended"
    assert blended["average"]["p1_mm"] != plain["average"]["p1_mm"]


@pytest.fixture
def reads_confidence(tmp_path):
    """A recipe for a very small network that reads confidence, on MotionBERT's file."""
    path = tmp_path / "confidence.toml"
    data = 'set = "h36m-motionbert"\npaired = { confidence = true }'
    write_recipe(path, "motionbert", data)
    return path


def test_the_files_confidence_reaches_the_network(command, reads_confidence, folder, tmp_path):
    run = tmp_path / "run"
    done = command("train", reads_confidence, "--data", folder, "-o", run)
    assert done.code == 0, done.err
    assert json.loads((run / "config.json").read_text())["confidence"] is True
    unsure = pickle.loads((folder / motionbert.FILE).read_bytes())
    unsure["test"]["confidence"] = unsure["test"]["confidence"] * 0.5
    (tmp_path / "unsure.pkl").write_bytes(pickle.dumps(unsure))
    errors = []
    for file in (folder / motionbert.FILE, tmp_path / "unsure.pkl"):
        out = tmp_path / "report.json"
        argv = ("evaluate", "--model", run, "--protocol", "h36m-motionbert", "--data", file)
        done = command(*argv, "--json", out)
        assert done.code == 0, done.err
        assert "confidence read" in done.out
        errors.append(json.loads(out.read_text())["average"]["p1_mm"])
    assert abs(errors[0] - errors[1]) > 0.1


def test_confidence_that_the_file_does_not_have(command, reads_confidence, folder, tmp_path):
    done = command(
        *("train", reads_confidence, "--data", folder, "-o", tmp_path / "run", "data.set=h36m")
    )
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    assert "confidence = true for 2D joints without scores" in done.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("verb", ["train", "pretrain"])
def test_confidence_for_a_network_that_reads_none(command, recipe, folder, tmp_path, verb):
    changes = ["data.set=h36m", "data.paired.confidence=true"]
    changes += ["poseclr.views=2"] if verb == "pretrain" else []
    done = command(verb, recipe, "--data", folder, "-o", tmp_path / "run", *changes)
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    assert "data.paired.confidence = true for nanohtnet" in done.err
    assert not (tmp_path / "run").exists()
