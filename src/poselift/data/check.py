"""Say what is wrong with a file of a data set, before hours are spent on it."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from poselift.data import check_3dhp, check_h36m, check_motionbert
from poselift.data.findings import Findings, misplaced, upright
from poselift.data.mocap import read_motions
from poselift.errors import DataError
from poselift.keypoints.files import existing, load_npz

_KNOWN = (
    "data_3d_h36m.npz, data_2d_h36m_*.npz, h36m_sh_conf_cam_source_final.pkl, "
    "data_train_3dhp.npz, data_test_3dhp.npz or motions_*.npz"
)
_NO_3DHP = "no sequence in it; expected such as S1 Seq1 or TS1"


def check(path: str | PathLike[str]) -> Findings:
    """Check a file of Human3.6M, MPI-INF-3DHP or of motion capture; its content tells which.

    Nothing in the file is run.

    Raises:
        DataError: no such file, damaged, with pickled objects other than data, or of another kind.
    """
    path = existing(path)
    if path.is_dir():
        raise DataError(f"{path}: is a folder", _KNOWN, "check its files one by one")
    if path.suffix.lower() in (".pkl", ".pickle"):
        return check_motionbert.check(path)
    arrays = load_npz(path)
    if "positions_3d" in arrays:
        return check_h36m.check_3d(path)
    if "positions_2d" in arrays:
        return check_h36m.check_2d(path)
    if "data" in arrays:
        data = arrays["data"].item() if arrays["data"].ndim == 0 else None
        if isinstance(data, dict) and not data:  # neither the training nor the test file
            return Findings("MPI-INF-3DHP (P-STMO)", problems=[_NO_3DHP])
        return check_3dhp.check(path)
    if "pos" in arrays:
        return _check_mocap(path)
    raise DataError(f"{path}: holds {', '.join(sorted(arrays))}", _KNOWN)


def _check_mocap(path: Path) -> Findings:
    found = Findings("motion capture")
    motions = read_motions(path)
    lying: dict[str, dict[str, bool]] = {}  # of each subject's sequences
    elsewhere = []
    for motion in motions:
        joints, where = motion.joints, motion.name
        if not found.check_unit(joints * 1000, where, "mm"):  # as the file has them
            continue
        if (problem := misplaced(joints)) is not None:
            elsewhere.append(f"{where}: {problem}")
        else:
            lying.setdefault(motion.subject, {})[where] = not upright(joints)
    # People climb, too: a few of many say nothing of the file.
    (found.problems if 2 * len(elsewhere) > len(motions) else found.notes).extend(elsewhere)
    found.check_lying(lying)
    names = [motion.name for motion in motions]
    if len(set(names)) != len(names):
        found.problems.append("sequences of the same name, which would get the same noise")
    frames = sum(motion.num_frames for motion in motions)
    found.facts.append(
        f"{frames} frames of {len(motions)} sequences, {len({m.subject for m in motions})} subjects"
    )
    return found
