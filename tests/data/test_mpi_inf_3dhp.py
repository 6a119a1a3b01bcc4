"""MPI-INF-3DHP in the layout of P-STMO, read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dataset_files import motion, npz_content, write_3dhp_test, write_npz

from poselift.data import mpi_inf_3dhp
from poselift.errors import DataError
from poselift.skeleton import H36M_17


def test_joints_are_mapped_as_in_the_field():
    assert mpi_inf_3dhp.TO_H36M == [14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]
    both = np.array(mpi_inf_3dhp.TO_H36M)[mpi_inf_3dhp.FROM_H36M]
    assert both.tolist() == list(range(17))


def test_the_test_file(tmp_path):
    path = tmp_path / mpi_inf_3dhp.TEST_FILE
    write_3dhp_test(path)
    raw = npz_content(path, "data")
    assert list(raw) == ["TS1", "TS2", "TS3", "TS4", "TS5", "TS6"]
    clips = mpi_inf_3dhp.read_test(path)
    for clip in clips:
        arrays = raw[clip.name]
        outdoor = clip.name in ("TS5", "TS6")
        assert clip.image_size == ((1920, 1080) if outdoor else (2048, 2048))
        assert arrays["data_3d"].shape == (clip.num_frames, 17, 3)
        pelvis, wrist = H36M_17.index("pelvis"), H36M_17.index("right_wrist")
        np.testing.assert_allclose(
            clip.joints[:, pelvis] * 1000, arrays["data_3d"][:, 14], rtol=1e-5
        )
        np.testing.assert_allclose(clip.joints[:, wrist] * 1000, arrays["data_3d"][:, 4], rtol=1e-5)
        np.testing.assert_array_equal(clip.keypoints[:, wrist], arrays["data_2d"][:, 4])
        assert clip.valid is not None
        assert np.flatnonzero(~clip.valid).tolist() == [2]
        inside = (clip.keypoints > 0) & (clip.keypoints < clip.image_size)
        assert inside.all()
        # What a pinhole camera sees of the 3D joints.
        ratio = clip.joints[..., :2] / clip.joints[..., 2:]
        focal = 0.75 * clip.image_size[1]
        np.testing.assert_allclose(
            clip.keypoints, ratio * focal + np.array(clip.image_size) / 2, atol=0.01
        )


def test_the_training_file(tmp_path):
    path = tmp_path / mpi_inf_3dhp.TRAIN_FILE
    motions = {"S1 Seq1": motion(0, 0.4, 25.0), "S1 Seq2": motion(1), "S2 Seq1": motion(2)}
    mpi_inf_3dhp.write_train(path, motions)
    raw = npz_content(path, "data")
    assert set(raw) == set(motions)
    views, fps = raw["S1 Seq1"]
    assert (set(views), fps) == (set("01245678"), 25.0)
    clips = mpi_inf_3dhp.read_train(path, ["S1"])
    assert [clip.name for clip in clips] == [
        f"S1 Seq{n}/{camera}" for n in (1, 2) for camera in "01245678"
    ]
    assert {clip.fps for clip in clips[:8]} == {25.0}
    assert {clip.fps for clip in clips[8:]} == {50.0}
    assert len(mpi_inf_3dhp.read_train(path, ["S1", "S2"], cameras=["0", "8"])) == 6
    # All cameras see the same person: its bones do not depend on the view.
    bones = [np.linalg.norm(clip.joints[:, 2] - clip.joints[:, 1], axis=-1) for clip in clips[:8]]
    np.testing.assert_allclose(bones, np.broadcast_to(bones[0], (8, len(bones[0]))), rtol=1e-4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"TS7": {}}, "not a test sequence"),
        ({"TS1": {"data_2d": np.zeros((3, 17, 2))}}, "no arrays"),
        ({"TS1": {"data_2d": np.zeros((3, 17, 2)), "data_3d": np.zeros((4, 17, 3))}}, "shape"),
        ({"TS1": {"data_2d": np.zeros((3, 17, 2)), "data_3d": np.zeros((3, 28, 3))}}, "shape"),
        ({"TS1": 3}, "not a test sequence"),
        ([1, 2], "no dictionary"),
        ({}, "no dictionary"),
    ],
)
def test_bad_test_files(tmp_path, content, message):
    write_npz(tmp_path / "x.npz", data=content)
    with pytest.raises(DataError, match=message):
        mpi_inf_3dhp.read_test(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"S1 Seq1": {"0": {}}}, "no pair of cameras and frame rate"),
        ({"S1 Seq1": [{"0": {}}, "fast"]}, "fps is no number"),
        ({"S1 Seq1": [{"0": {}}, 25]}, "no arrays"),
        ({"S1 Seq1": [{}, 25]}, "camera 0: missing"),
        ({"S2 Seq1": [{}, 25]}, "no sequence of S1"),
    ],
)
def test_bad_training_files(tmp_path, content, message):
    write_npz(tmp_path / "x.npz", data=content)
    with pytest.raises(DataError, match=message):
        mpi_inf_3dhp.read_train(tmp_path / "x.npz", ["S1"])


def test_a_missing_file_and_a_malicious_one(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        mpi_inf_3dhp.read_test(tmp_path / "x.npz")

    class Evil:
        def __reduce__(self):
            return Path.touch, (tmp_path / "was_run",)

    write_npz(tmp_path / "x.npz", data={"TS1": Evil()})
    with pytest.raises(DataError, match="other than data"):
        mpi_inf_3dhp.read_test(tmp_path / "x.npz")
    assert not (tmp_path / "was_run").exists()
