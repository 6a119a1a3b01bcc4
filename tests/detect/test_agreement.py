"""Against what MediaPipe 0.10.21 found in the sample videos.

The stored landmarks come from frames that OpenCV decoded; it takes every video's colours as
BT.601, where ours are those the file states. That, and times of 60 instead of MediaPipe's constant
30 frames per second, is what the wider bound allows; with the same colours the networks' own
numbers agree to a hundredth of the bound.
"""

from __future__ import annotations

import itertools

import av
import numpy as np
import pytest

from poselift.detect import BlazePose, Frames, PoseTracker

VIDEOS = ("pose2sim_single_cam01", "pose2sim_single_cam02", "sports2d_demo")
BOUND = 0.015
"""Of the height of the person's box."""


def opencv_frames(path):
    """Frames with the colours that OpenCV gives."""
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            rgb = frame.reformat(format="rgb24", interpolation="BICUBIC", src_colorspace="ITU601")
            yield number, number / 30, rgb.to_ndarray()


def compare(shared, weights, name, mode, frames, last):
    """Distances (N, 33) relative to the box, which are of visible landmarks, world errors in m."""
    with np.load(shared / f"golden/blazepose/{name}.npz") as file:
        golden = {key: file[key] for key in file.files}
    wanted = [n for n in golden[f"{mode}_frame"].tolist() if n <= last]
    tracker = PoseTracker(BlazePose(weights), mode, 1)
    points = np.full((len(wanted), 33, 2), np.nan)
    world = np.full((len(wanted), 33, 3), np.nan)
    for number, time, image in itertools.islice(frames, last + 1):
        if number in wanted:
            for seen in tracker.push(image, time):
                points[wanted.index(number)] = seen.landmarks.points
                world[wanted.index(number)] = seen.landmarks.world
    expected = golden[f"{mode}_landmarks_px"][: len(wanted)]
    there = golden[f"{mode}_detected"][: len(wanted)]
    height = np.ptp(expected[..., 1], axis=1)[:, None]
    distance = np.linalg.norm(points - expected, axis=-1) / height
    both = (golden[f"{mode}_visibility"][: len(wanted)] > 0.5) & np.isfinite(distance)
    assert both.any(axis=1).sum() >= 0.85 * there.sum()
    off = np.linalg.norm(world - golden[f"{mode}_world"][: len(wanted)], axis=-1)
    print(f"{name}, {mode}: median {np.median(distance[both]):.4%} of the box's height")
    return distance[both], off[both]


@pytest.mark.parametrize("name", VIDEOS)
@pytest.mark.parametrize(("mode", "last"), [("tracking", 25), ("static", 60)])
def test_the_first_seconds(shared, weights, name, mode, last):
    frames = Frames(shared / f"data/media/{name}.mp4")
    distance, _ = compare(shared, weights, name, mode, frames, last)
    assert np.median(distance) <= BOUND


@pytest.mark.parametrize("name", VIDEOS)
def test_the_same_pixels_give_the_same_numbers(shared, weights, name):
    frames = opencv_frames(shared / f"data/media/{name}.mp4")
    distance, world = compare(shared, weights, name, "static", frames, 100)
    assert np.median(distance) <= BOUND / 20
    assert np.median(world) <= 0.001


@pytest.mark.slow
@pytest.mark.parametrize("name", VIDEOS)
@pytest.mark.parametrize("mode", ["tracking", "static"])
def test_whole_videos(shared, weights, name, mode):
    frames = Frames(shared / f"data/media/{name}.mp4")
    distance, world = compare(shared, weights, name, mode, frames, 10_000)
    assert np.median(distance) <= BOUND
    assert np.median(world) <= 0.03
