"""Human3.6M in the layout of MotionBERT, read back."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from dataset_files import h36m_motions, motion

from poselift.data import h36m, motionbert
from poselift.errors import DataError


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("motionbert") / motionbert.FILE
    motionbert.write(
        out, {("S1", "Walking"): motion(0), ("S8", "Eating"): motion(1)}, h36m_motions()
    )
    return out


def _changed(path: Path, target: Path, change) -> Path:
    data = pickle.loads(path.read_bytes())
    change(data)
    target.write_bytes(pickle.dumps(data, protocol=4))
    return target


def test_the_file_is_that_of_the_field(path):
    data = pickle.loads(path.read_bytes())
    assert set(data) == {"train", "test"}
    for part, keys in (("train", motionbert.KEYS), ("test", motionbert.TEST_KEYS)):
        assert set(data[part]) == set(keys)
        assert len({len(value) for value in data[part].values()}) == 1
    test = data["test"]
    assert test["source"][0] == "s_09_act_14_subact_02_ca_01"
    assert test["action"][0] == "Walking"
    assert test["camera_name"][0] == "54138969"


def test_test_clips_agree_with_the_other_layout(path, tmp_path):
    """The same motion through both layouts: same pixels, same pose within the weak perspective."""
    h36m.write(tmp_path, h36m_motions())
    others = h36m.read(tmp_path)
    clips = motionbert.read(path)
    assert len(clips) == len(others) == 24
    for clip, other in zip(clips, others, strict=True):
        assert isinstance(clip, motionbert.ImageClip)
        assert (clip.subject, clip.action) == (other.subject, other.action)
        assert (clip.image_size, clip.fps) == (other.image_size, other.fps)
        assert clip.unit == "half_widths"
        np.testing.assert_allclose(clip.keypoints, other.keypoints, atol=1e-3)
        scaled = clip.joints * clip.metres_per_unit[:, None, None]
        np.testing.assert_allclose(
            scaled - scaled[:, :1], clip.truth - clip.truth[:, :1], atol=1e-6
        )
        # Depth is metric; image coordinates are nearly so at this distance.
        exact = other.joints - other.joints[:, :1]
        np.testing.assert_allclose((scaled - scaled[:, :1])[..., 2], exact[..., 2], atol=1e-5)
        assert np.abs(scaled - scaled[:, :1] - exact).max() < 0.25


def test_training_clips(path):
    clips = motionbert.read(path, "train")
    assert [clip.subject for clip in clips] == ["S1"] * 4 + ["S8"] * 4
    assert {clip.num_frames for clip in clips} == {motion(0).num_frames}
    assert all(not isinstance(clip, motionbert.ImageClip) for clip in clips)
    assert (clips[0].scores == 1).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("test"), "no part 'test'"),
        (lambda d: d["test"].pop("2.5d_factor"), "test lacks 2.5d_factor"),
        (lambda d: d["test"].update(source=d["test"]["source"][:-1]), "keys of lengths"),
        (lambda d: d["test"].update(camera_name=["1"] * len(d["test"]["source"])), "camera '1'"),
        (lambda d: d["test"].update(source=["x"] * len(d["test"]["source"])), "source 'x'"),
        (lambda d: d["test"].update(source=[1.0] * len(d["test"]["source"])), "row of texts"),
        (lambda d: d["test"].update(joint_2d=d["test"]["joint_2d"][:, :16]), "shape"),
        (lambda d: d["test"].update(joint_2d=[[1], [2, 3]]), "no array"),
        (lambda d: d.update(test={key: [] for key in d["test"]}), "at least 1"),
    ],
)
def test_what_is_wrong_is_named(path, tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        motionbert.read(_changed(path, tmp_path / "x.pkl", change))


def test_other_files(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        motionbert.read(tmp_path / "x.pkl")
    (tmp_path / "x.pkl").write_bytes(pickle.dumps([1]))
    with pytest.raises(DataError, match="holds list"):
        motionbert.read(tmp_path / "x.pkl")
    (tmp_path / "x.pkl").write_bytes(b"no pickle")
    with pytest.raises(DataError, match="broken pickle"):
        motionbert.read(tmp_path / "x.pkl")
    h36m.write(tmp_path, h36m_motions())
    message = rf"{h36m.FILE_3D}: is a \.npz archive; expected {motionbert.FILE}$"
    with pytest.raises(DataError, match=message):
        motionbert.read(tmp_path / h36m.FILE_3D)


def test_a_malicious_file_runs_nothing(path, tmp_path):
    class Evil:
        def __reduce__(self):
            return Path.touch, (tmp_path / "was_run",)

    # A class of this test cannot be pickled by name, but its call can.
    data = pickle.loads(path.read_bytes())
    data["train"]["source"][0] = Evil()
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(data, protocol=4))
    for part in ("train", "test"):
        with pytest.raises(DataError, match="other than data"):
            motionbert.read(tmp_path / "x.pkl", part)
    assert not (tmp_path / "was_run").exists()


def test_unknown_actions_are_not_written(tmp_path):
    with pytest.raises(DataError, match="unknown action"):
        motionbert.write(tmp_path / "x.pkl", {("S1", "Juggling"): motion(0)}, {})
