"""What the detector's networks said of a video so far, on disk, so that a re-run goes on.

The networks take nearly all of the time; what follows from their answers is quick to do again. So
the answers are kept in their order, and a re-run takes them instead of asking the networks: it
comes to the same state, bit for bit, and goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic

import numpy as np

from poselift import __version__
from poselift.detect import BlazePose, Detection, Frames, Landmarks, Region, WeightFiles
from poselift.detect.region import Image
from poselift.errors import DataError
from poselift.files import atomic_path, read_arrays
from poselift.poses import FloatArray

SECONDS = 10.0
"""Of work between two files: as much is lost at most."""

LANDMARK_SHAPES = {
    "points": (33, 2),
    "visibility": (33,),
    "world": (33, 3),
    "centre": (2,),
    "edge": (2,),
    "presence": (),
}
"""Fields of `poselift.detect.Landmarks`."""

_ENDS = 1 << 20
"""Bytes at both ends of a video that tell it from others of its size and date."""
_WHOLE_IMAGE = (0.0, 0.0, 0.0, 0.0)
"""The question to the detector, in place of a region."""


class PartialAnswers:
    """A folder of numbers that answer questions which come again in the same order.

    Args:
        folder: made when the first file is written; holds ``000000.npz`` and so on.
        fingerprint: of all that decides the answers. Files with another one are removed.

    Attributes:
        frames: frames of the video whose answers were there at the start.
        outdated: whether there were answers to something else.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder, self._fingerprint = folder, fingerprint
        files = self._files()
        counts = [self._frames_of(path) for path in files]
        self.outdated = None in counts
        if self.outdated:
            self.remove()
            files, counts = [], []
        self.frames = counts[-1] or 0 if counts else 0
        self._count, self._old = len(files), self._read(files)
        self._new: list[tuple[FloatArray, FloatArray]] = []
        self._saved = monotonic()

    def recall(self, question: FloatArray) -> FloatArray | None:
        """The answer to the next question, or ``None`` when there is no further one.

        Raises:
            DataError: the answer that is due is one to another question, or cannot be read.
        """
        known = next(self._old, None)
        if known is None:
            return None
        if not np.array_equal(known[0], question):
            raise self._strange()
        return known[1]

    def add(self, question: FloatArray, answer: FloatArray) -> None:
        """Keep a new answer."""
        self._new.append((question, answer))

    def save(self, frames: int) -> None:
        """Write what is new, if it is worth it: all answers of the first ``frames`` frames."""
        if not self._new or monotonic() - self._saved < SECONDS:
            return
        questions, answers = zip(*self._new, strict=True)
        with atomic_path(self.folder / f"{self._count:06}.npz") as temporary:
            np.savez(
                temporary,
                fingerprint=np.array(self._fingerprint),
                frames=np.array(frames),
                questions=np.array(questions),
                lengths=np.array([len(answer) for answer in answers]),
                answers=np.concatenate(answers),
            )
        self.frames = frames
        self._count += 1
        self._new.clear()
        self._saved = monotonic()

    def remove(self) -> None:
        """Take away all that was written here, and nothing else."""
        for path in self._files():
            path.unlink()
        with suppress(OSError):  # none there, or somebody else's files in it
            self.folder.rmdir()

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9]" * 6 + ".npz"))

    def _frames_of(self, path: Path) -> int | None:
        """How far a file goes; ``None`` if it is not of this work."""
        try:
            arrays = read_arrays(path)
            mine = str(arrays["fingerprint"]) == self._fingerprint
            return int(arrays["frames"]) if mine else None
        except (DataError, KeyError, TypeError, ValueError):
            return None

    def _read(self, files: list[Path]) -> Iterator[tuple[FloatArray, FloatArray]]:
        for path in files:
            arrays = read_arrays(path)
            try:
                ends = np.cumsum(arrays["lengths"])[:-1]
                answers = np.split(arrays["answers"], ends)
                yield from zip(arrays["questions"], answers, strict=True)
            except (KeyError, ValueError, TypeError) as error:
                raise self._strange() from error

    def _strange(self) -> DataError:
        return DataError(
            f"{self.folder}: the partial results do not fit the video",
            "",
            "run the command again: it begins anew",
        )


class RememberingBlazePose(BlazePose):
    """The two networks, asked only what was not asked before.

    Args:
        weights, threads: as `poselift.detect.BlazePose`.
        partial: the answers that are there.
    """

    def __init__(self, weights: WeightFiles, threads: int | None, partial: PartialAnswers) -> None:
        super().__init__(weights, threads)
        self._partial = partial

    def look(
        self, image: Image, regions: Sequence[Region], search: bool = False
    ) -> tuple[list[Landmarks], list[Detection]]:
        """As `poselift.detect.BlazePose.look`."""
        questions = [np.array(_numbers(region)) for region in regions]
        if search:
            questions.append(np.array(_WHOLE_IMAGE))
        known = [self._partial.recall(question) for question in questions]
        answers = [answer for answer in known if answer is not None]
        if len(answers) == len(questions):
            persons = answers.pop().reshape(-1, 5).tolist() if search else []  # N detections
            return [_to_landmarks(answer) for answer in answers], [
                Detection(Region(*numbers), score) for *numbers, score in persons
            ]
        bodies, found = super().look(image, regions, search)
        answers = [
            np.concatenate([np.ravel(getattr(body, name)) for name in LANDMARK_SHAPES])
            for body in bodies
        ]
        if search:
            numbers = [(*_numbers(each.region), each.score) for each in found]
            answers.append(np.array(numbers, dtype=np.float64).ravel())
        for question, answer, before in zip(questions, answers, known, strict=True):
            if before is None:
                self._partial.add(question, answer)
        return bodies, found


def fingerprint(frames: Frames, weights: WeightFiles, fps: float | None) -> str:
    """All that decides what the networks see and say: the video, its times, the weights."""
    source = frames.path
    files = sorted(source.iterdir()) if source.is_dir() else [source]
    content = {
        "poselift": __version__,
        "video": [(file.name, *_stamp(file)) for file in files if file.is_file()],
        "size": (frames.width, frames.height),
        "fps": fps,
        "weights": [
            hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (weights.detector, weights.landmarks)
        ],
    }
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _stamp(path: Path) -> tuple[int, int, str]:
    """Size, date and ends of a file: a long video is not read for this."""
    stat = path.stat()
    with path.open("rb") as file:
        ends = file.read(_ENDS)
        file.seek(max(0, stat.st_size - _ENDS))
        ends += file.read(_ENDS)
    return stat.st_size, stat.st_mtime_ns, hashlib.sha256(ends).hexdigest()


def _numbers(region: Region) -> tuple[float, float, float, float]:
    return region.x, region.y, region.size, region.angle


def _to_landmarks(values: FloatArray) -> Landmarks:
    """The inverse of what `RememberingBlazePose.look` keeps."""
    parts, start = {}, 0
    for name, shape in LANDMARK_SHAPES.items():
        end = start + math.prod(shape)
        parts[name] = values[start:end].reshape(shape)
        start = end
    return Landmarks(**{**parts, "presence": float(parts["presence"])})  # type: ignore[arg-type]  # mypy does not see which is which
