"""The people in a video, for the command: decoded ahead, timed, and kept for a re-run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from time import perf_counter

import numpy as np

from poselift import detect
from poselift.cli.ahead import ahead
from poselift.cli.partial import PartialAnswers, RememberingBlazePose, fingerprint
from poselift.cli.progress import ProgressLine
from poselift.cli.stages import Stages
from poselift.conversion import to_h36m
from poselift.detect import Frame, Frames, WeightFiles
from poselift.errors import PoseliftError
from poselift.layouts import MEDIAPIPE_33
from poselift.poses import Pose2D


def check_conversion(variant: str | None) -> None:
    """Raise ``UsageError`` if the detector's joints have no such conversion."""
    empty = np.full((1, 1, len(MEDIAPIPE_33), 2), np.nan)  # one person, one frame
    to_h36m(Pose2D(empty, skeleton=MEDIAPIPE_33), variant)


class VideoInput(Frames):
    """A video or a folder of pictures whose frames are decoded in a thread of its own.

    Args:
        path: of the video.
        fps: in place of its own times, see `poselift.detect.Frames`.
        weights: of the detector.
        threads: of the detector, see `poselift.detect.BlazePose`.
        folder: for partial results, see `poselift.cli.partial`.
        stages: gets the seconds of ``decode`` and ``detect``.

    Attributes:
        notes: what the user should know of a run that went on from another.

    Raises:
        DataError: nothing readable in it.
    """

    def __init__(
        self,
        path: Path,
        fps: float | None,
        weights: WeightFiles,
        threads: int | None,
        folder: Path,
        stages: Stages,
    ) -> None:
        super().__init__(path, fps=fps)
        self.notes: list[str] = []
        self._weights, self._network_threads, self._stages = weights, threads, stages
        self._partial = PartialAnswers(folder, fingerprint(self, weights, fps))
        if self._partial.frames:
            self.notes.append(f"went on from frame {self._partial.frames}, as {folder} has it")
        elif self._partial.outdated:
            self.notes.append(f"began anew: {folder} was of another video or other options")

    @property
    def kept(self) -> int:
        """Frames from which a re-run would go on; 0 if it would begin anew."""
        return self._partial.frames

    def forget(self) -> None:
        """Remove the partial results: they are not needed any more."""
        self._partial.remove()

    def __iter__(self) -> Iterator[Frame]:
        frames = ahead(self._stages.each("decode", super().__iter__()))
        while True:
            start = perf_counter()
            frame = next(frames, None)
            self._stages.seconds["detect"] -= perf_counter() - start  # waiting is no detecting
            if frame is None:
                return
            yield frame

    def detect(self, quiet: bool) -> Pose2D:
        """Everybody in it; ``quiet``: without a line of progress.

        Raises:
            DataError: nobody in it, or partial results that cannot be used (they are removed) or
                written (those that are there stay).
        """
        known, saving = self._partial.frames, False
        with (
            ProgressLine(f"going over what is known of {self.path.name}", quiet) as again,
            ProgressLine(f"detecting in {self.path.name}", quiet, "fps") as progress,
            self._stages("detect"),
        ):

            def told(done: int, expected: int | None) -> None:
                nonlocal saving
                (again if done <= known else progress)(done, expected)
                saving = True
                self._partial.save(done)
                saving = False

            network = RememberingBlazePose(self._weights, self._network_threads, self._partial)
            try:
                found = detect.detect_video(self, network=network, progress=told)
            except PoseliftError:
                if not saving:  # would come again, unlike a full disk
                    self.forget()
                raise
        # Without the detector's own 3D joints, which are half of what an hour takes in memory.
        return Pose2D(**{each.name: getattr(found, each.name) for each in fields(Pose2D)})
