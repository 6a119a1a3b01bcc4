"""Regions: where they are, and what is cut out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poselift.detect.region import Region, is_usable, region_around, whole_image

numbers = st.floats(-500, 500)


def ramp(width=60, height=40):
    """Red counts columns, green rows."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(width), np.arange(height)[:, None]
    return image


def test_an_upright_region_at_full_size_is_the_image_itself():
    image = ramp(40, 40)
    np.testing.assert_array_equal(Region(20, 20, 40).crop(image, 40), image)


def test_halfway_between_pixels_is_their_mean():
    image = np.zeros((4, 4, 3), np.uint8)
    image[:, 2:] = 100
    crop = Region(2, 2, 4).crop(image, 8)
    np.testing.assert_array_equal(crop[0, :, 0], [0, 0, 0, 50, 100, 100, 100, 100])


@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 2, -2.5])
def test_a_crop_shows_what_the_region_says(angle):
    region = Region(31.3, 19.2, 18.0, angle)
    crop = region.crop(ramp(), 36)
    steps = np.arange(36) / 36
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    # A bilinear ramp gives back the position; rounded to whole numbers, and by 1/32 pixel.
    np.testing.assert_allclose(crop[..., :2].reshape(-1, 2), region.to_image(grid), atol=0.55)


@pytest.mark.parametrize("order", ["C", "F"])
def test_outside_is_black_or_the_edge(order):
    image = np.asarray(np.full((10, 20, 3), 200, np.uint8), order=order)
    square = whole_image(20, 10)
    assert (square.crop(image, 20) == 200).all()
    black = square.crop(image, 20, outside="black")
    assert (black[:5] == 0).all()
    assert (black[5:15, :19] == 200).all()
    assert (black[15:] == 0).all()


@given(numbers, numbers, st.floats(1, 300), st.floats(-3.1, 3.1))
def test_the_two_points_of_a_person_give_the_region_back(x, y, size, angle):
    top = np.array([x + np.sin(angle) * size / 2, y - np.cos(angle) * size / 2])
    region = region_around(np.array([x, y]), top, scale=1.0)
    np.testing.assert_allclose([region.x, region.y, region.size], [x, y, size], atol=1e-9)
    assert np.isclose(np.cos(region.angle - angle), 1)
    # The edge point is straight above the centre when the person is put upright.
    np.testing.assert_allclose(region.to_image(np.array([[0.5, 0.0]]))[0], top, atol=1e-9)


def test_regions_that_hold_nothing():
    assert is_usable(Region(50, 50, 40), 100, 100)
    assert is_usable(Region(-10, 50, 40), 100, 100)
    for region in (
        Region(-30, 50, 40),
        Region(50, 50, 1),
        Region(50, 50, 1e6),
        Region(np.nan, 50, 40),
        Region(50, 50, np.inf),
    ):
        assert not is_usable(region, 100, 100)
