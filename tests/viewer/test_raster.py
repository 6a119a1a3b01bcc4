from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poselift.viewer.raster import disc, number, stroke, text_width

WHITE, RED = (255, 255, 255), (200, 0, 0)
coordinate = st.floats(-2e5, 2e5) | st.floats(-50, 100)


def blank(width: int = 60, height: int = 40) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


def covered(image: np.ndarray) -> float:
    return float(image[..., 0].sum()) / 255


@pytest.mark.parametrize("radius", [0.5, 2.0, 7.3])
def test_a_disc_covers_its_area_around_its_middle(radius: float) -> None:
    image = blank()
    disc(image, (30.25, 19.5), radius, (0, WHITE))
    assert covered(image) == pytest.approx(math.pi * radius**2, rel=0.08, abs=0.3)
    rows, columns = np.indices(image.shape[:2])
    weight = image[..., 0] / image[..., 0].sum()
    assert (weight * columns).sum() == pytest.approx(30.25, abs=0.1)
    assert (weight * rows).sum() == pytest.approx(19.5, abs=0.1)


@pytest.mark.parametrize("end", [(45, 20), (45, 25), (40, 33), (12, 35), (10, 5)])
def test_a_stroke_is_as_wide_in_any_direction(end: tuple[int, int]) -> None:
    image, back = blank(), blank()
    stroke(image, (25, 20), end, 2.0, (0, WHITE))
    length = math.dist((25, 20), end)
    assert covered(image) == pytest.approx(4 * length + math.pi * 4, rel=0.03)
    stroke(back, end, (25, 20), 2.0, (0, WHITE))
    assert np.abs(image.astype(int) - back).max() <= 1


def test_rows_and_columns_are_alike() -> None:
    image, turned = blank(40, 40), blank(40, 40)
    stroke(image, (5, 7), (33, 20), 1.5, (1, RED), (0, WHITE))
    stroke(turned, (7, 5), (20, 33), 1.5, (1, RED), (0, WHITE))
    np.testing.assert_array_equal(image, turned.transpose(1, 0, 2))


def test_inks_lie_over_each_other() -> None:
    image = blank()
    stroke(image, (10, 20), (50, 20), 3.0, (2, RED), (0, WHITE))
    np.testing.assert_array_equal(image[20, 30], WHITE)
    np.testing.assert_array_equal(image[24, 30], RED)
    assert not image[28].any()


@given(coordinate, coordinate, coordinate, coordinate, st.floats(0.1, 30))
def test_nothing_fails_outside_the_image(
    ax: float, ay: float, bx: float, by: float, radius: float
) -> None:
    image = blank(30, 20)
    stroke(image, (ax, ay), (bx, by), radius, (1, RED), (0, WHITE))
    if min(ax, bx) > 29 + radius + 2 or max(ay, by) < -radius - 2:
        assert not image.any()


def test_a_line_through_the_image_is_not_lost_when_its_ends_are_far_away() -> None:
    image = blank()
    stroke(image, (-9e4, 20), (1e5, 20), 1.0, (0, WHITE))
    assert (image[20] == 255).all()


def test_every_sign_is_different_and_as_wide_as_said() -> None:
    seen = set()
    for sign in "0123456789-./: ":
        image = blank()
        number(image, sign, (20, 10), 16, WHITE, RED)
        seen.add(image.tobytes())
        white = np.argwhere((image > 200).all(axis=-1))
        assert len(white) > 3 or sign == " "
        if sign in "08":
            assert np.ptp(white[:, 0]) == pytest.approx(16, abs=3)
            assert np.ptp(white[:, 1]) == pytest.approx(text_width(sign, 16), abs=3)
    assert len(seen) == 15


def test_text_is_anchored_and_cut_at_the_edge() -> None:
    left, middle = blank(), blank()
    number(left, "88", (30 - text_width("88", 10) / 2, 10), 10, WHITE, RED)
    number(middle, "88", (30, 10), 10, WHITE, RED, anchor=0.5)
    np.testing.assert_array_equal(left, middle)
    for at in ((-5, -5), (57, 37), (500, 10), (-500, -500)):
        number(blank(), "12.5", at, 12, WHITE, RED)
