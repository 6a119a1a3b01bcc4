from __future__ import annotations

import base64
import html.parser
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from walker import walker

from poselift.errors import DataError
from poselift.poses import Pose3D
from poselift.viewer import write_html
from poselift.viewer.scene import make_scene

if TYPE_CHECKING:
    from browser import Browser

HOSTILE = "</script></title><img src=http://x.test/a onerror=alert(1)>{{data}} & \udcff"

INK = """
const canvas = document.getElementById(arguments[0]);
const values = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
const colours = new Map();
for (let i = 0; i < values.length; i += 4) if (values[i + 3] === 255) {
  const key = [values[i], values[i + 1], values[i + 2]].join();
  colours.set(key, (colours.get(key) || 0) + 1);
}
return Object.fromEntries(colours);
"""
IMAGE = "return document.getElementById('view').toDataURL()"
FRAME = "return Number(document.getElementById('frame').value)"
SPACE, LEFT, RIGHT, END, HOME = " ", "\ue012", "\ue014", "\ue010", "\ue011"


def rgb(colour: str) -> str:
    return ",".join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))


def page_data(path: Path) -> dict[str, Any]:
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text())
    assert match is not None
    return dict(json.loads(match[1]))


class Reader(html.parser.HTMLParser):
    """Collects tags and addresses of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [str(value) for key, value in attrs if key in ("src", "href")]


def test_the_page_holds_the_motion(tmp_path: Path) -> None:
    pose = walker(persons=2, frames=7, track_ids=[4, 9])
    data = page_data(write_html(pose, tmp_path / "a.html"))

    def floats(key: str) -> np.ndarray:
        return np.frombuffer(base64.b64decode(data[key]), "<f4")

    np.testing.assert_array_equal(floats("joints"), make_scene(pose).joints.ravel())
    np.testing.assert_array_equal(floats("keypoints"), pose.keypoints.ravel())
    assert data["persons"] == [4, 9]
    assert data["times"] == pytest.approx(pose.times)
    assert len(data["bones"]) == 16


def test_provenance_can_be_read(tmp_path: Path) -> None:
    meta = {"weights_licence": "CC BY 4.0", "source": "clips/my walk.mp4", "assumed": {"focal": 1}}
    text = write_html(walker(meta=meta), tmp_path / "a.html").read_text("utf-8")
    assert "<title>my walk</title>" in text
    for part in ("walker", "30 fps", "metres", "CC BY 4.0", "h36m-17", "{&quot;focal&quot;: 1}"):
        assert part in text
    unknown = write_html(Pose3D(np.zeros((1, 1, 17, 3))), tmp_path / "b c.html")
    assert "<title>b c</title>" in unknown.read_text("utf-8")
    assert "licence not stated" in unknown.read_text("utf-8")


def test_all_text_is_escaped_and_nothing_is_loaded(tmp_path: Path) -> None:
    plain = Reader(write_html(walker(), tmp_path / "a.html"))
    meta = dict.fromkeys(("model", "weights_licence", "source", "note", HOSTILE), HOSTILE)
    path = write_html(walker(meta=meta), tmp_path / "b.html", title=HOSTILE)
    hostile = Reader(path)
    more = ["dt", "dd"] * 2  # the two further facts
    assert sorted(hostile.tags) == sorted(plain.tags + more)
    assert hostile.addresses == ["data:,"]
    assert page_data(path)["frames"] == 60


@pytest.mark.parametrize("pose", [
    Pose3D(np.full((2, 3, 17, 3), np.nan)),
    Pose3D(np.zeros((1, 1, 17, 3))),
    walker(meta={"image_size": [1280, 720]}),
    walker(meta={"image_size": "large"}),
])  # fmt: skip
def test_nothing_in_the_page_is_not_json(pose: Pose3D, tmp_path: Path) -> None:
    data = page_data(write_html(pose, tmp_path / "a.html"))
    assert data["imageSize"] in (None, [1280, 720])


def test_an_error_leaves_no_page(tmp_path: Path) -> None:
    pose = walker()
    pose.keypoints[0, 0] = np.inf
    with pytest.raises(DataError, match="infinite numbers in keypoints"):
        write_html(pose, tmp_path / "a.html")
    with pytest.raises(DataError, match="is a folder"):
        write_html(walker(), tmp_path)
    assert list(tmp_path.iterdir()) == []


# ---- in a real browser ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(start_browser: Callable[..., Browser]) -> Browser:
    return start_browser()


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Path:
    """Page of two walkers, loaded in the browser, standing still."""
    path = write_html(walker(persons=2), tmp_path / "Läufer & co.html", title=HOSTILE)
    browser.open(path)
    return path


def test_it_draws_without_complaints_or_requests(browser: Browser, page: Path) -> None:
    palette = page_data(page)["palette"]["light"]
    for canvas in ("view", "image"):
        ink = browser.run(INK, canvas)
        for colour in (palette["left"], palette["right"], *palette["persons"][:2]):
            assert ink.get(rgb(colour), 0) > 20, (canvas, colour)
    assert browser.run("return document.title").startswith("</script></title><img")
    assert browser.complaints() == []
    assert browser.requests() == [page.resolve().as_uri()]


def test_playing_moves_the_skeleton(browser: Browser, page: Path) -> None:
    before = browser.run(IMAGE)
    browser.run("document.getElementById('play').click()")
    browser.wait(f"return (() => {{ {FRAME} }})() > 3")
    assert browser.run(IMAGE) != before
    assert browser.run("return document.getElementById('play').textContent") == "Pause"
    browser.press(SPACE)
    browser.wait("return document.getElementById('play').textContent === 'Play'")
    frame = browser.run(FRAME)
    browser.run("return new Promise((done) => setTimeout(done, 200))")
    assert browser.run(FRAME) == frame
    assert browser.complaints() == []


def test_scrubbing_changes_the_frame(browser: Browser, page: Path) -> None:
    before = browser.run(IMAGE)
    browser.run(
        "const slider = document.getElementById('frame'); slider.value = 20;"
        "slider.dispatchEvent(new Event('input'))"
    )
    browser.wait("return document.getElementById('readout').textContent.includes('21 / 60')")
    assert "0.67 s" in browser.run("return document.getElementById('readout').textContent")
    assert browser.run(IMAGE) != before


def test_keys(browser: Browser, page: Path) -> None:
    steps = ((RIGHT, 1), (RIGHT, 2), (LEFT, 1), (END, 59), (RIGHT, 59), (HOME, 0), (LEFT, 0))
    for focus in ("view", "frame"):
        browser.run("document.getElementById(arguments[0]).focus()", focus)
        for key, frame in steps:
            browser.press(key)
            browser.wait(f"return (() => {{ {FRAME} }})() === {frame}")
    before = browser.run(IMAGE)
    browser.press("a")
    browser.wait(f"return (() => {{ {IMAGE} }})() !== {json.dumps(before)}")


def test_dragging_turns_the_view(browser: Browser, page: Path) -> None:
    before = browser.run(IMAGE)
    x, y = browser.run(
        "const box = document.getElementById('view').getBoundingClientRect();"
        "return [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)]"
    )
    browser.drag((x, y), (80, 20))
    browser.wait(f"return (() => {{ {IMAGE} }})() !== {json.dumps(before)}")
    browser.run("document.querySelector('[data-view=top]').click()")
    assert browser.complaints() == []


def test_a_person_can_be_hidden(browser: Browser, page: Path) -> None:
    second = rgb(page_data(page)["palette"]["light"]["persons"][1])
    browser.run("document.querySelectorAll('#legend input')[1].click()")
    browser.run("return new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    assert second not in browser.run(INK, "view")


def test_odd_poses(browser: Browser, tmp_path: Path) -> None:
    gaps = walker(frames=4)
    gaps.joints[0, :2] = np.nan
    for number, pose in enumerate((
        Pose3D(np.full((2, 3, 17, 3), np.nan)),
        walker(frames=1, keypoints=None),
        gaps,
        walker(times=np.arange(60) ** 1.5 + 7, meta={"image_size": [1280, 720]}),
    )):  # fmt: skip
        browser.open(write_html(pose, tmp_path / f"{number}.html"))
        assert browser.run(INK, "view")
        browser.press(END)
        assert browser.complaints() == []


def test_a_dark_phone_that_plays_at_once(
    start_browser: Callable[..., Browser], tmp_path: Path
) -> None:
    phone = start_browser(size=(390, 844), dark=True, calm=False, touch=True)
    path = write_html(walker(persons=2), tmp_path / "a.html", title="word" * 40)
    phone.open(path)
    phone.wait(f"return (() => {{ {FRAME} }})() > 2")
    phone.run("document.getElementById('play').click()")
    palette = page_data(path)["palette"]["dark"]
    ink = phone.run(INK, "view")
    assert rgb(palette["left"]) in ink
    assert rgb(palette["right"]) in ink
    # Nothing sticks out to the side, and the controls are in sight without scrolling.
    assert phone.run("return document.documentElement.scrollWidth") <= 390
    bottom = "return document.getElementById('frame').getBoundingClientRect().bottom"
    assert phone.run(bottom) <= 844
    before = phone.run(IMAGE)
    phone.drag((150, 250), (90, 0), touch=True)
    phone.wait(f"return (() => {{ {IMAGE} }})() !== {json.dumps(before)}")
    assert phone.complaints() == []
    assert phone.requests() == [path.resolve().as_uri()]
