"""Anchors, decoding, suppression, refinement, and what is refused."""

from __future__ import annotations

import dataclasses
import itertools
import os
import sys
import threading

import numpy as np
import pytest

from poselift.detect import BlazePose, Frames, Region, WeightFiles
from poselift.detect.blazepose import anchors, decode, refine, suppress
from poselift.detect.region import whole_image
from poselift.errors import CheckpointError, DataError, MissingExtraError, UsageError


def test_anchors_are_the_cells_of_three_grids():
    centres = anchors()
    assert centres.shape == (28 * 28 * 2 + 14 * 14 * 2 + 7 * 7 * 6, 2)
    np.testing.assert_allclose(centres[0], 0.5 / 28)
    np.testing.assert_allclose(centres[2], [1.5 / 28, 0.5 / 28])  # along a row first
    np.testing.assert_allclose(centres[28 * 28 * 2], 0.5 / 14)
    np.testing.assert_allclose(centres[-6:], 6.5 / 7)


def test_decoding_takes_sure_boxes_relative_to_their_cell():
    boxes = np.zeros((3, 12), np.float32)
    boxes[:, :4] = [22.4, -22.4, 44.8, 67.2]
    boxes[:, 4:6] = [11.2, 0]
    boxes[2, 2] = -1  # no box
    centres = np.array([[0.5, 0.5], [0.1, 0.1], [0.5, 0.5]])
    values, scores = decode(boxes, np.array([[1000.0], [-1.0], [3.0]]), centres)
    assert scores.tolist() == [1.0]  # clipped, so nothing overflows
    np.testing.assert_allclose(values[0, :3], [[0.5, 0.25], [0.7, 0.55], [0.55, 0.5]], rtol=1e-6)


def box(x, y, size=0.2):
    points = np.zeros((6, 2))
    points[0], points[1], points[2:] = (x, y), (x + size, y + size), (x, y)
    return points


def test_suppression_averages_by_score_and_keeps_others_apart():
    values = np.stack([box(0.7, 0.7), box(0.1, 0.1), box(0.14, 0.1)])
    found, scores = suppress(values, np.array([0.6, 0.9, 0.3 * 2]))
    assert scores.tolist() == [0.9, 0.6]
    np.testing.assert_allclose(found[0], (0.9 * values[1] + 0.6 * values[2]) / 1.5)
    np.testing.assert_allclose(found[1], values[0])


def test_suppression_of_nothing_and_of_empty_boxes():
    assert suppress(np.zeros((0, 6, 2)), np.zeros(0))[0].shape == (0, 6, 2)
    found, _ = suppress(np.stack([box(0.1, 0.1, 0.0)] * 2), np.array([0.9, 0.8]))
    assert len(found) == 2


def test_refining_moves_to_the_middle_of_the_heat_nearby():
    heat = np.full((64, 64, 3), -30.0)
    heat[21, 30:32, 0] = 3.0
    heat[21, 30:32, 1] = -1.0  # not sure enough
    heat[5, 5, 2] = 3.0  # too far away
    heat[20, 30, 2] = 0.5
    points = np.array([[32.5, 20.5], [32.5, 20.5], [30.2, 20.2]]) / 64
    found = refine(points, heat) * 64
    np.testing.assert_allclose(found[0], [30.5, 21.0], atol=1e-6)
    np.testing.assert_allclose(found[1], [32.5, 20.5])
    np.testing.assert_allclose(found[2], [30.0, 20.0], atol=1e-6)


def test_refining_at_and_beyond_the_border():
    heat = np.full((64, 64, 2), -30.0)
    heat[0, 0] = 3.0
    points = np.array([[0.5, 1.5], [-9.0, 3.0]]) / 64
    found = refine(points, heat) * 64
    np.testing.assert_allclose(found[0], [0.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(found[1], [-9.0, 3.0])


def test_without_the_extra_the_install_line_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(MissingExtraError, match=r'pip install "poselift\[video\]"'):
        BlazePose(WeightFiles(tmp_path / "a", tmp_path / "b"))


def test_loading_says_nothing_and_stderr_works_afterwards(weights, capfd):
    BlazePose(weights)
    assert capfd.readouterr() == ("", "")
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_less_than_one_thread(weights):
    with pytest.raises(UsageError, match="0 threads"):
        BlazePose(weights, 0)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_nothing(weights, shared, threads):
    frames = itertools.islice(Frames(shared / "data/media/sports2d_demo.mp4"), 100, 106, 5)
    one, several = BlazePose(weights, 1), BlazePose(weights, threads)
    for _, _, image in frames:
        persons = one.detect(image)
        middle = whole_image(image.shape[1], image.shape[0])
        regions = [*(person.region for person in persons), middle, Region(500, 350, 300)]
        bodies, again = several.look(image, regions, search=True)
        assert again == persons
        for region, body in zip(regions, bodies, strict=True):
            alone = one.landmarks(image, region)
            for field in dataclasses.fields(alone):
                np.testing.assert_array_equal(
                    getattr(body, field.name), getattr(alone, field.name), field.name
                )


@pytest.mark.parametrize(("persons", "threads"), [(4, 2), (6, 2), (6, 3)])
def test_work_is_shared_evenly(weights, monkeypatch, persons, threads):
    together = threading.Barrier(threads)

    def body(self, region, pixels):
        together.wait(9)  # breaks if a thread is left alone with the rest
        return region

    monkeypatch.setattr(BlazePose, "_body", body)
    regions = [Region(4, 4, 8 + n) for n in range(persons)]
    found, _ = BlazePose(weights, threads).look(np.zeros((9, 9, 3), np.uint8), regions)
    assert found == regions


def test_errors_in_a_helper_come_out(weights, monkeypatch):
    network = BlazePose(weights, 2)
    monkeypatch.setattr(BlazePose, "_body", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        network.look(np.zeros((9, 9, 3), np.uint8), [Region(4, 4, 8)], search=True)


def test_files_that_are_not_the_networks(weights, tmp_path):
    (tmp_path / "a.tflite").write_bytes(b"nothing")
    for wrong in (tmp_path / "a.tflite", tmp_path / "absent", weights.landmarks):
        with pytest.raises(CheckpointError, match=wrong.name):
            BlazePose(WeightFiles(wrong, weights.landmarks))


def test_files_that_are_gone_when_a_second_person_comes(weights, tmp_path):
    path = tmp_path / "a.tflite"
    path.write_bytes(weights.landmarks.read_bytes())
    network = BlazePose(WeightFiles(weights.detector, path), 2)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"a\.tflite"):
        network.look(np.zeros((9, 9, 3), np.uint8), [Region(4, 4, 8)] * 2)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8)),
        np.zeros((8, 8, 3)),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        [[[1, 2, 3]]],
        None,
    ],
)
def test_what_is_no_image_is_refused(weights, image):
    network = BlazePose(weights)
    with pytest.raises(DataError, match="image"):
        network.detect(image)
    with pytest.raises(DataError, match="image"):
        network.landmarks(image, Region(4, 4, 8))


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (224, 224)])
def test_nobody_in_an_empty_image(weights, size):
    network = BlazePose(weights)
    image = np.full((*size, 3), 127, np.uint8)
    assert network.detect(image) == []
    assert network.landmarks(image, Region(size[1] / 2, size[0] / 2, max(size))).presence < 0.5
