"""Human3.6M in the layout of VideoPose3D, read back, and compared with a second computation."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from dataset_files import h36m_motions, motion, npz_content, write_npz
from scipy.spatial.transform import Rotation

from poselift.data import h36m
from poselift.data.h36m_cameras import _EXTRINSICS, _INTRINSICS, CAMERA_IDS, SUBJECTS, cameras
from poselift.errors import DataError
from poselift.layouts import COCO_17, H36M_17, H36M_32


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("h36m")
    h36m.write(path, h36m_motions())
    return path


def test_kept_joints_are_those_of_every_loader():
    kept = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
    assert list(H36M_32.indices(H36M_17.joints)) == kept


def _project_by_hand(point: np.ndarray, lens: tuple[float, ...]) -> tuple[float, float]:
    """The published formula, one point at a time."""
    fx, fy, cx, cy, k1, k2, k3, p1, p2 = lens
    x, y = (min(max(v / point[2], -1.0), 1.0) for v in point[:2])
    r2 = x * x + y * y
    factor = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3 + p1 * x + p2 * y
    return fx * (x * factor + p1 * r2) + cx, fy * (y * factor + p2 * r2) + cy


@pytest.mark.parametrize("subject", SUBJECTS)
def test_cameras_equal_a_second_computation(subject):
    rng = np.random.default_rng(0)
    world = rng.uniform([-1, -1, 0], [1, 1, 2], (5, 3))
    for n, camera in enumerate(cameras(subject)):
        place = np.array(_EXTRINSICS[subject][n])
        to_world = Rotation.from_quat(place[[1, 2, 3, 0]])
        expected = to_world.inv().apply(world - place[4:] / 1000)
        seen = h36m.in_camera(camera, world)
        np.testing.assert_allclose(seen, expected, atol=1e-9)
        np.testing.assert_allclose(camera.pinhole.camera_to_world(seen), world, atol=1e-9)
        lens = _INTRINSICS[CAMERA_IDS[n]]
        np.testing.assert_allclose(
            camera.project(seen), [_project_by_hand(p, lens) for p in seen], atol=1e-9
        )


def test_cameras_look_at_the_middle_of_the_studio_from_four_sides():
    """A wrong number in the table would turn a camera away."""
    for subject in SUBJECTS:
        corners = set()
        for camera in cameras(subject):
            x, y, z = camera.pinhole.position
            corners.add((x > 0, y > 0))
            assert 1.3 < z < 1.8
            assert 3.5 < np.hypot(x, y) < 6
            middle = camera.project(h36m.in_camera(camera, np.array([0, 0, 0.9])))
            assert (abs(middle - 500) < 200).all()
            up = camera.pinhole.rotation @ [0, 0, 1]
            assert up[1] < -0.95  # upright: the image's y axis is down
        assert len(corners) == 4


def test_directions_far_off_the_axis_are_bounded():
    camera = cameras("S1")[0]
    at_45 = camera.project(np.array([1.0, 0, 1.0]))
    np.testing.assert_array_equal(camera.project(np.array([7.0, 0, 1.0])), at_45)


def test_what_is_written_is_read(folder):
    motions = h36m_motions()
    clips = h36m.read(folder)
    assert len(clips) == 4 * len(motions)
    assert {clip.action for clip in clips} == {"Walking", "Eating"}
    for clip in clips:
        subject, name, camera = clip.name.split("/")
        original = motions[subject, name]
        assert (clip.subject, clip.fps, clip.unit) == (subject, 50.0, "metres")
        n = CAMERA_IDS.index(camera)
        world = cameras(subject)[n].pinhole.camera_to_world(clip.joints.astype(np.float64))
        moved = original.joints - world
        np.testing.assert_allclose(moved, np.broadcast_to(moved[:1, :1], moved.shape), atol=1e-5)
        assert abs(moved[0, 0, 2]) < 1e-5  # the floor stays the floor
        lens = _INTRINSICS[camera]
        expected = [[_project_by_hand(p, lens) for p in frame] for frame in clip.joints[:2]]
        np.testing.assert_allclose(clip.keypoints[:2], expected, atol=1e-2)


def test_sizes_of_the_images(folder):
    sizes = {clip.name.split("/")[2]: clip.image_size for clip in h36m.read(folder)}
    assert sizes == {
        "54138969": (1000, 1002),
        "55011271": (1000, 1000),
        "58860488": (1000, 1000),
        "60457274": (1000, 1002),
    }


def test_the_files_are_those_of_the_field(folder):
    """Read as VideoPose3D does: by keys, shapes, types and units."""
    joints = npz_content(folder / "data_3d_h36m.npz", "positions_3d")
    seen = npz_content(folder / "data_2d_h36m_gt.npz", "positions_2d")
    about = npz_content(folder / "data_2d_h36m_gt.npz", "metadata")
    assert set(joints) == {"S9", "S11"} == set(seen)
    for subject, actions in joints.items():
        assert set(actions) == {"Walking", "Walking 1", "Eating"} == set(seen[subject])
        for name, array in actions.items():
            assert array.shape == (h36m_motions()[subject, name].num_frames, 32, 3)
            assert array.dtype == np.float32
            views = seen[subject][name]
            assert isinstance(views, list)
            assert [v.shape for v in views] == [(len(array), 17, 2)] * 4
    assert about["num_joints"] == 17
    assert about["keypoints_symmetry"] == [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]


def _rewritten(folder: Path, target: Path, change) -> Path:
    """Both files, after ``change(positions_3d, positions_2d, metadata)``."""
    joints = npz_content(folder / h36m.FILE_3D, "positions_3d")
    name = h36m.keypoints_file("gt")
    seen = npz_content(folder / name, "positions_2d")
    about = npz_content(folder / name, "metadata")
    change(joints, seen, about)
    write_npz(target / h36m.FILE_3D, positions_3d=joints)
    write_npz(target / name, positions_2d=seen, metadata=about)
    return target


def test_longer_detections_are_cut_and_other_subjects_left_alone(folder, tmp_path):
    def change(joints, seen, about):
        seen["S9"]["Eating"] = [np.concatenate([v, v[-3:] + 900]) for v in seen["S9"]["Eating"]]
        seen["S2"] = {"Eating": seen["S9"]["Eating"]}  # no 3D joints, no cameras
        del about["layout_name"]  # as the ground truth file of the field

    expected = h36m.read(folder)
    for clip, same in zip(h36m.read(_rewritten(folder, tmp_path, change)), expected, strict=True):
        np.testing.assert_array_equal(clip.keypoints, same.keypoints)
        np.testing.assert_array_equal(clip.joints, same.joints)


def test_the_broken_recording_is_left_out(folder, tmp_path):
    def change(joints, seen, about):
        for positions in (joints, seen):
            positions["S11"]["Directions"] = positions["S11"]["Eating"]
            positions["S9"]["Directions"] = positions["S9"]["Eating"]

    names = {clip.name for clip in h36m.read(_rewritten(folder, tmp_path, change))}
    assert "S9/Directions/54138969" in names
    assert not any(name.startswith("S11/Directions") for name in names)


def test_confidence_and_seventeen_joints(folder, tmp_path):
    def change(joints, seen, about):
        kept = list(H36M_32.indices(H36M_17.joints))
        for actions in joints.values():
            for name in actions:
                actions[name] = actions[name][:, kept]
        for actions in seen.values():
            for views in actions.values():
                views[:] = [np.concatenate([v, 0.5 + 0 * v[..., :1]], axis=-1) for v in views]

    for clip, same in zip(
        h36m.read(_rewritten(folder, tmp_path, change)), h36m.read(folder), strict=True
    ):
        np.testing.assert_array_equal(clip.joints, same.joints)
        np.testing.assert_array_equal(clip.keypoints, same.keypoints)
        assert (clip.scores == 0.5).all()
        assert same.scores is None


def test_coco_detections_are_converted(folder, tmp_path):
    order = [H36M_17.index(j) if j in H36M_17.joints else 9 for j in COCO_17.joints]

    def change(joints, seen, about):
        for actions in seen.values():
            for views in actions.values():
                views[:] = [v[:, order] for v in views]
        about |= {"layout_name": "coco"}

    for clip, same in zip(
        h36m.read(_rewritten(folder, tmp_path, change)), h36m.read(folder), strict=True
    ):
        for joint in ("left_wrist", "right_knee"):
            n = H36M_17.index(joint)
            np.testing.assert_allclose(clip.keypoints[:, n], same.keypoints[:, n], atol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda j, s, a: s["S9"].pop("Eating"), "S9/Eating: no four cameras"),
        (lambda j, s, a: s["S9"].update(Eating=s["S9"]["Eating"][:3]), "no four cameras"),
        (lambda j, s, a: s.pop("S11"), "no subject S11"),
        (lambda j, s, a: j.pop("S9"), "no subject S9"),
        (
            lambda j, s, a: s["S9"].update(Eating=[v[:3] for v in s["S9"]["Eating"]]),
            "has 3 frames; expected at least",
        ),
        (lambda j, s, a: a.update(num_joints=16), "layout h36m of 16 joints"),
        (lambda j, s, a: a.update(layout_name="mpii"), "layout mpii"),
        (lambda j, s, a: j["S9"].update(Eating=np.zeros((4, 31, 3))), "shape"),
        (lambda j, s, a: s["S9"]["Eating"][0].fill(np.nan), "not finite"),
        (lambda j, s, a: j.update({3: {}}), "no dictionary"),
    ],
)
def test_what_is_wrong_is_named(folder, tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        h36m.read(_rewritten(folder, tmp_path, change))


def test_missing_files_and_other_archives(folder, tmp_path):
    with pytest.raises(DataError, match=r"data_2d_h36m_cpn\.npz: no such file"):
        h36m.read(folder, "cpn")
    with pytest.raises(DataError, match="is a file; expected the folder"):
        h36m.read(folder / h36m.FILE_3D)
    write_npz(tmp_path / h36m.FILE_3D, joints={})
    write_npz(tmp_path / h36m.keypoints_file("gt"), positions_2d={})
    with pytest.raises(DataError, match="no 'positions_3d' in it, but joints"):
        h36m.read(tmp_path)


class Evil:
    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("inside", ["positions_3d", "positions_2d", "metadata"])
def test_a_malicious_file_runs_nothing(folder, tmp_path, inside):
    mark = tmp_path / "was_run"

    def change(joints, seen, about):
        part = {"positions_3d": joints, "positions_2d": seen, "metadata": about}[inside]
        part["S1"] = {"Eating": Evil(mark)}

    _rewritten(folder, tmp_path, change)
    with pytest.raises(DataError, match="pickled objects other than data"):
        h36m.read(tmp_path)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Evil(mark)))  # it would have been dangerous
    assert mark.exists()


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(DataError, match="25 frames per second"):
        h36m.write(tmp_path, {("S9", "Eating"): motion(0, fps=25.0)})
    with pytest.raises(DataError, match="subject S2: no cameras"):
        h36m.write(tmp_path, {("S2", "Eating"): motion(0)})
    far = motion(0)
    far.joints[0] += [0, 9, 0]
    with pytest.raises(DataError, match="within 1 m of a camera"):
        h36m.write(tmp_path, {("S9", "Eating"): far})
    assert list(tmp_path.iterdir()) == []


def test_errors_of_a_detector(tmp_path):
    one = {("S9", "Eating"): motion(3, 2.0), ("S11", "Eating"): motion(2, 2.0)}
    h36m.write(tmp_path, one)
    h36m.write(tmp_path, one, "cpn_ft_h36m_dbb", error=5.0)
    exact, seen = h36m.read(tmp_path), h36m.read(tmp_path, "cpn_ft_h36m_dbb")
    error = np.concatenate([a.keypoints - b.keypoints for a, b in zip(exact, seen, strict=True)])
    assert error.std() == pytest.approx(5.0, rel=0.02)
