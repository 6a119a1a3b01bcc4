"""The data sets that networks are trained on, by name."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Literal, get_args

from poselift.data import h36m, motionbert, mpi_inf_3dhp
from poselift.data.clips import PairedClip
from poselift.errors import DataError, UsageError

PairedSet = Literal["h36m", "h36m-motionbert", "3dhp"]
TrainingPart = Literal["train", "validation"]


def read_training(
    data_set: PairedSet,
    folder: str | PathLike[str],
    part: TrainingPart,
    keypoints: str = "gt",
    hold_out: Sequence[str] = ("S8",),
) -> list[PairedClip]:
    """Clips of the training subjects; those of the test are never among them.

    Args:
        data_set: ``h36m``, ``h36m-motionbert`` or ``3dhp``.
        folder: with the files of that data set, under their usual names.
        part: ``train``, or ``validation`` for the subjects that are held out.
        keypoints: detections of ``h36m``.
        hold_out: training subjects that choose the checkpoint and are not trained on.

    Raises:
        UsageError: unknown data set, or a held out subject that is none of its training subjects.
        DataError: a file is missing or not of that layout, or nothing is left of a part.
    """
    if data_set not in get_args(PairedSet):
        raise UsageError(f"data set {data_set!r}", f"one of {', '.join(get_args(PairedSet))}")
    folder = Path(folder)
    subjects = mpi_inf_3dhp.TRAIN if data_set == "3dhp" else h36m.TRAIN
    unknown = [subject for subject in hold_out if subject not in subjects]
    if unknown:
        raise UsageError(f"held out subject {unknown[0]!r}", f"some of {', '.join(subjects)}")
    wanted = [s for s in subjects if (s in hold_out) == (part == "validation")]
    if data_set == "h36m":
        clips = h36m.read(folder, keypoints, wanted)
    elif data_set == "3dhp":
        clips = mpi_inf_3dhp.read_train(folder / mpi_inf_3dhp.TRAIN_FILE, wanted)
    else:
        clips = motionbert.read(folder / motionbert.FILE, "train")
        clips = [clip for clip in clips if clip.subject in wanted]
    if not clips:
        raise DataError(f"{folder}: no {part} clips of {data_set}", f"{', '.join(wanted)}")
    return clips
