from __future__ import annotations

import numpy as np
import pytest

from poselift.errors import UsageError
from poselift.runtime.assumptions import VIDEO_SIZES, chosen_focal, guess_image_size


@pytest.mark.parametrize(
    ("far", "size"),
    [
        ((600, 400), (640, 480)),
        ((400, 600), (480, 640)),
        ((1000, 950), (1920, 1080)),
        ((700, 1800), (1080, 1920)),
        ((5000, 10), (5000, 5000)),
    ],
)
def test_smallest_usual_size_that_holds_all(far: tuple[int, int], size: tuple[int, int]) -> None:
    keypoints = np.array([[1.0, 1.0], far, [np.nan, np.nan]])
    assert guess_image_size(keypoints) == size


def test_nothing_seen() -> None:
    assert guess_image_size(np.full((3, 2), np.nan)) == VIDEO_SIZES[0]


def test_focal() -> None:
    assert chosen_focal(None, (1000, 500)) == 1145
    assert chosen_focal(800, (1000, 500)) == 800
    for wrong in (0, -1, float("nan"), float("inf"), "wide"):
        with pytest.raises(UsageError, match="focal"):
            chosen_focal(wrong, (1000, 500))  # type: ignore[arg-type]  # on purpose
