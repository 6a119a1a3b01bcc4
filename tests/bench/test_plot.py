from __future__ import annotations

from xml.etree import ElementTree

import pytest

from poselift.bench.plot import Point, draw

SVG = "{http://www.w3.org/2000/svg}"
HOST = Point(3.0, 45.0, "host", "host")


def places(points: list[Point], level: tuple[float, str] | None = None) -> list[tuple[float, ...]]:
    root = ElementTree.fromstring(draw(points, "cost", "mm", level))
    circles = root.findall(f"{SVG}circle")
    return [(float(circle.attrib["cx"]), float(circle.attrib["cy"])) for circle in circles]


def texts(points: list[Point], level: tuple[float, str] | None = None) -> list[str]:
    root = ElementTree.fromstring(draw(points, "cost", "mm", level))
    return [str(text.text) for text in root.iter(f"{SVG}text")]


def test_costs_that_lie_close_begin_at_zero() -> None:
    half, whole = places([Point(1.5, 46.0, "a", "a"), HOST])
    assert "0" in texts([HOST])
    assert (half[0] - 70) * 2 == pytest.approx(whole[0] - 70, abs=0.2)
    assert half[1] < whole[1]  # a larger error is higher up


def test_costs_that_lie_far_apart_have_a_logarithmic_axis() -> None:
    points = [Point(cost, 45.0, "a", "a") for cost in (1.0, 10.0, 100.0)]
    first, second, third = (x for x, _ in places(points))
    assert second - first == pytest.approx(third - second, abs=0.2)
    assert {"1", "2", "5", "10", "20", "50", "100"} <= set(texts(points))


def test_small_errors_apart_have_round_ticks_between() -> None:
    written = texts([HOST, Point(1.0, 45.4, "a", "a")], (45.09, "host + 0.2 %"))
    assert {"45", "45.1", "45.2", "45.3", "45.4"} <= set(written)
    assert "host + 0.2 %" in written


def test_every_point_is_numbered_and_named_inside() -> None:
    points = [Point(1 + n / 10, 45 + n / 7, f"{n} & <more>", str(n % 3)) for n in range(30)]
    root = ElementTree.fromstring(draw(points, "cost", "mm"))
    height = float(root.attrib["viewBox"].split()[-1])
    names = [t for t in root.iter(f"{SVG}text") if str(t.text).endswith("<more>")]
    assert [str(t.text) for t in names] == [f"{n + 1}  {n} & <more>" for n in range(30)]
    assert all(0 < float(t.attrib["y"]) < height for t in names)
    colours = [circle.attrib["fill"] for circle in root.findall(f"{SVG}circle")]
    assert len(set(colours)) == 3
    assert colours[0] == colours[3]
