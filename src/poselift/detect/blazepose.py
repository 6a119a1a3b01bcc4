"""BlazePose: a person detector and a landmark network, and the arithmetic between them.

Bazarevsky et al., BlazePose: On-device Real-time Body Pose Tracking, 2020. The two networks are
those of MediaPipe (Apache-2.0, see `poselift.detect.weights`); decoding, suppression, cropping and
refinement are written here in numpy after MediaPipe's published graph `pose_landmark_cpu`, whose
options the constants below repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from queue import LifoQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.cores import available_cores
from poselift.detect.region import Image, Region, region_around, whole_image
from poselift.detect.weights import WeightFiles
from poselift.errors import CheckpointError, DataError, MissingExtraError, UsageError
from poselift.files import silent_stderr
from poselift.poses import FloatArray

LANDMARKS = 33
"""Points of the layout ``mediapipe-33``."""

_DETECTOR_PIXELS = 224
_STRIDES = (8, 16, 32, 32, 32)
_ANCHORS_PER_LAYER = 2
_MIN_SCORE = 0.5
_MAX_LOGIT = 100.0
_SUPPRESSION_OVERLAP = 0.3

_LANDMARK_PIXELS = 256
_ALL_POINTS = 39
"""33 of the body, 2 for the next region, 4 that are not used."""
_POINT_VALUES = 5
"""x, y, z, visibility, presence."""
_HEATMAP = 64
_KERNEL = 9
"""Side of the square around a point that is refined in, in cells of the heat map. The options of
the graph say 7; what MediaPipe computes agrees with 9 to 0.001 cells, and not with 7."""
_MIN_HEAT = 0.5


@dataclass(frozen=True)
class Detection:
    """A person as the detector sees it.

    Args:
        region: where the landmarks are to be looked for.
        score: confidence, 0..1.
    """

    region: Region
    score: float


@dataclass(frozen=True, eq=False)
class Landmarks:
    """The body in one region of one image.

    Args:
        points: (33, 2) pixels of the image.
        visibility: (33,) 0..1, how surely a point is in sight.
        world: (33, 3) metres, origin between the hips, x right, y down, z away from the camera:
            BlazePose's own estimate of the pose in space.
        centre: (2,) middle of the hips as a point of its own, pixels.
        edge: (2,) point on the circle around the body, pixels.
        presence: confidence that there is a person in the region, 0..1.
    """

    points: FloatArray
    visibility: FloatArray
    world: FloatArray
    centre: FloatArray
    edge: FloatArray
    presence: float


class BlazePose:
    """The two networks, on one image at a time.

    Args:
        weights: the two weight files, see `poselift.detect.weights.find`.
        threads: how many answers `look` works on at the same time; ``None`` for as many as this
            process may use cores. Each body that is looked at beside others takes 40 MB.

    Raises:
        UsageError: less than one thread.
        MissingExtraError: ai-edge-litert is not installed.
        CheckpointError: files that are not these networks.
    """

    def __init__(self, weights: WeightFiles, threads: int | None = None) -> None:
        self._threads = available_cores() if threads is None else threads
        if self._threads < 1:
            raise UsageError(f"{threads} threads", "1 or more")
        self._detector = _Network(weights.detector, [(2254, 12), (2254, 1)])
        shapes = [(195,), (1,), (_HEATMAP, _HEATMAP, _ALL_POINTS), (117,)]
        self._landmarks = _Network(weights.landmarks, shapes)
        # The calling thread works, too. Others are started when there is something to do.
        self._helpers = ThreadPoolExecutor(max(1, self._threads - 1), "blazepose")
        self._anchors = anchors()

    def detect(self, image: Image) -> list[Detection]:
        """The persons in an image, surest first.

        Args:
            image: (H, W, 3) uint8 RGB.

        Raises:
            DataError: an array of another kind.
        """
        _, persons = self.look(image, [], search=True)
        return persons

    def landmarks(self, image: Image, region: Region) -> Landmarks:
        """The body in a region; ``presence`` says whether there is one.

        Args:
            image: (H, W, 3) uint8 RGB.
            region: from a detection, or from the landmarks of the frame before.

        Raises:
            DataError: an array of another kind.
        """
        (body,), _ = self.look(image, [region])
        return body

    def look(
        self, image: Image, regions: Sequence[Region], search: bool = False
    ) -> tuple[list[Landmarks], list[Detection]]:
        """``landmarks`` of several regions, and ``detect`` if told to search, at the same time.

        The answers do not depend on the number of threads.

        Args:
            image: (H, W, 3) uint8 RGB.
            regions: one for each body.
            search: whether the persons in the image are asked for; else there are none.

        Raises:
            DataError: an array of another kind.
        """
        check_image(image)
        # Cut out here, one after the other: threads in numpy would wait for one another. What
        # follows is nearly all the network, which they run beside each other.
        self._landmarks.provide(min(len(regions), self._threads))
        last = len(regions) + search
        jobs = []
        for number, region in enumerate(regions, start=1):
            job = partial(self._body, region, region.crop(image, _LANDMARK_PIXELS))
            here = number == last or self._threads == 1
            jobs.append((job, None if here else self._helpers.submit(job)))
        persons = self._search(image) if search else []
        # What no helper has begun is taken back. They begin with the first, so from the last on:
        # where one was begun, so were all before it.
        bodies = [
            job() if future is None or future.cancel() else future.result()
            for job, future in reversed(jobs)
        ]
        return bodies[::-1], persons

    def _search(self, image: Image) -> list[Detection]:
        square = whole_image(image.shape[1], image.shape[0])
        pixels = square.crop(image, _DETECTOR_PIXELS, outside="black")
        pixels /= np.float32(127.5)
        pixels -= np.float32(1)
        boxes, logits = self._detector(pixels)
        values, scores = decode(boxes, logits, self._anchors)
        return [
            Detection(region_around(*square.to_image(points[2:4])), float(score))
            for points, score in zip(*suppress(values, scores), strict=True)
        ]

    def _body(self, region: Region, pixels: FloatArray) -> Landmarks:
        pixels /= np.float32(255)
        raw, presence, heat, world = self._landmarks(pixels)
        points = raw.reshape(_ALL_POINTS, _POINT_VALUES).astype(np.float64)
        refined = refine(points[:, :2] / _LANDMARK_PIXELS, heat)
        placed = region.to_image(refined[: LANDMARKS + 2])
        body = world.reshape(_ALL_POINTS, 3)[:LANDMARKS].astype(np.float64)
        # The network sees the person upright; turn the pose back as the image was.
        upright = Region(0.0, 0.0, 1.0, region.angle)
        body[:, :2] = upright.to_image(body[:, :2] + 0.5)
        return Landmarks(
            points=placed[:LANDMARKS],
            visibility=_sigmoid(points[:LANDMARKS, 3]),
            world=body,
            centre=placed[LANDMARKS],
            edge=placed[LANDMARKS + 1],
            presence=float(presence[0]),
        )


def check_image(image: Any) -> None:
    """Raise ``DataError`` unless ``image`` is (H, W, 3) uint8, RGB."""
    shape = np.shape(image)
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or shape[2:] != (3,):
        kind = getattr(image, "dtype", type(image).__name__)
        raise DataError(f"an image of shape {shape} and type {kind}", "(H, W, 3) uint8, RGB")
    if 0 in shape:
        raise DataError(f"an image without pixels, shape {shape}", "at least one pixel")


def anchors() -> FloatArray:
    """(2254, 2) centres of the detector's cells, 0..1, in the order of its outputs."""
    out = []
    for stride in dict.fromkeys(_STRIDES):  # layers of one stride share their cells
        cells = _DETECTOR_PIXELS // stride
        centres = (np.arange(cells) + 0.5) / cells
        grid = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)
        out.append(np.repeat(grid, _ANCHORS_PER_LAYER * _STRIDES.count(stride), axis=0))
    return np.concatenate(out)


def decode(
    boxes: FloatArray, logits: FloatArray, centres: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The detector's outputs as points, where it is sure enough.

    Args:
        boxes: (A, 12) centre x, y, width, height, and four points x, y, in pixels of its input
            and relative to the cell.
        logits: (A, 1).
        centres: (A, 2) of the cells, see ``anchors``.

    Returns:
        (N, 6, 2): two opposite corners of the box, then the four points (middle of the hips, edge
        of the body, middle of the shoulders, edge of the upper body), 0..1 in the square input;
        and (N,) scores.
    """
    scores = _sigmoid(np.clip(logits[:, 0].astype(np.float64), -_MAX_LOGIT, _MAX_LOGIT))
    sure = (scores >= _MIN_SCORE) & (boxes[:, 2:4] >= 0).all(axis=1)
    raw = boxes[sure].astype(np.float64).reshape(-1, 6, 2) / _DETECTOR_PIXELS
    half = raw[:, 1] / 2
    points = raw + centres[sure, None]
    points[:, 1] = points[:, 0] + half
    points[:, 0] -= half
    return points, scores[sure]


def suppress(values: FloatArray, scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weighted non-maximum suppression: boxes that overlap become their mean by score.

    Args:
        values: (N, 6, 2) as from ``decode``.
        scores: (N,).

    Returns:
        (M, 6, 2) and (M,), highest score first; a mean has the score of its best box.
    """
    order = np.argsort(-scores, kind="stable")
    values, scores = values[order], scores[order]
    out, best = [], []
    while len(values):
        same = _box_overlap(values[0], values) > _SUPPRESSION_OVERLAP
        same[0] = True  # also an empty box is used up
        out.append(np.average(values[same], axis=0, weights=scores[same]))
        best.append(scores[0])
        values, scores = values[~same], scores[~same]
    return np.reshape(out, (-1, 6, 2)), np.array(best)


def refine(points: FloatArray, heat: FloatArray) -> FloatArray:
    """Move each point to the middle of the heat around it, where there is enough.

    Args:
        points: (N, 2) 0..1 in the region.
        heat: (64, 64, N) logits, row by row.

    Returns:
        (N, 2) 0..1.
    """
    height, width, count = heat.shape
    reach = (_KERNEL - 1) // 2
    cells = np.trunc(points * [width, height]).astype(int)  # (N, 2) column, row
    around = np.arange(-reach, reach + 1)
    columns = cells[:, 0, None] + around  # (N, 9)
    rows = cells[:, 1, None] + around
    valid = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[
        :, None
    ]
    local = heat[
        np.clip(rows, 0, height - 1)[:, :, None],
        np.clip(columns, 0, width - 1)[:, None],
        np.arange(count)[:, None, None],
    ]  # (N, 9, 9)
    weight = np.where(valid, _sigmoid(local.astype(np.float64)), 0.0)
    total = weight.sum(axis=(1, 2))
    inside = ((cells >= 0) & (cells < [width, height])).all(axis=1)
    trusted = inside & (weight.max(axis=(1, 2)) >= _MIN_HEAT)
    total = np.where(trusted, total, 1.0)
    x = (weight.sum(axis=1) * columns).sum(axis=1) / total / width
    y = (weight.sum(axis=2) * rows).sum(axis=1) / total / height
    return np.where(trusted[:, None], np.stack([x, y], axis=-1), points)


class _Network:
    """A tflite file; called with (N, N, 3) pixels, gives its outputs in the order of ``shapes``."""

    def __init__(self, path: Any, shapes: list[tuple[int, ...]]) -> None:
        self._path = path
        interpreter = self._load()
        try:
            self._input = interpreter.get_input_details()[0]["index"]
            found = {
                tuple(int(n) for n in out["shape"][1:]): out["index"]
                for out in interpreter.get_output_details()
            }
            self._outputs = [found[shape] for shape in shapes]
        except (KeyError, IndexError) as error:
            raise self._unexpected(error) from error
        # The one used last comes first: its memory is in the cache.
        self._free: LifoQueue[Any] = LifoQueue()
        self._free.put(interpreter)
        self._count = 1

    def provide(self, count: int) -> None:
        """Make sure that so many calls can run at the same time, each in a thread of its own."""
        for _ in range(self._count, count):
            self._free.put(self._load())
            self._count += 1

    def _load(self) -> Any:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise MissingExtraError(
                "detecting people in video needs ai-edge-litert, which is not installed",
                fix='pip install "poselift[video]"',
            ) from error
        try:
            with silent_stderr():
                interpreter = Interpreter(model_path=str(self._path), num_threads=1)
                interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise self._unexpected(error) from error
        return interpreter

    def _unexpected(self, error: Exception) -> CheckpointError:
        return CheckpointError(
            f"{self._path}: not the network that was expected ({error})",
            "a weight file of BlazePose",
            "run `poselift setup` again",
        )

    def __call__(self, pixels: FloatArray) -> list[npt.NDArray[np.float32]]:
        interpreter = self._free.get()
        try:
            interpreter.set_tensor(self._input, pixels[None])
            interpreter.invoke()
            return [interpreter.get_tensor(index)[0] for index in self._outputs]
        finally:
            self._free.put(interpreter)


def _box_overlap(box: FloatArray, others: FloatArray) -> FloatArray:
    """(N,) intersection over union of one box (2+, 2) with others (N, 2+, 2)."""
    low = np.maximum(box[0], others[:, 0])
    high = np.minimum(box[1], others[:, 1])
    common = np.clip(high - low, 0, None).prod(axis=-1)
    areas = (others[:, 1] - others[:, 0]).prod(axis=-1)
    union = (box[1] - box[0]).prod() + areas - common
    return np.asarray(np.divide(common, union, out=np.zeros_like(common), where=union > 0))


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x))  # never overflows
