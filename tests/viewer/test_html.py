from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from walker import walker

from poselift.errors import DataError
from poselift.poses import Pose3D
from poselift.skeleton import Skeleton
from poselift.viewer import write_html
from poselift.viewer.scene import PALETTE, make_scene

if TYPE_CHECKING:
    from browser import Browser

HOSTILE = "</script></title><img src=http://x.test/a onerror=alert(1)>{{data}} & \udcff"

INK = """
const canvas = document.getElementById('image');
const values = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
const colours = new Map();
for (let i = 0; i < values.length; i += 4) if (values[i + 3] === 255) {
  const key = [values[i], values[i + 1], values[i + 2]].join();
  colours.set(key, (colours.get(key) || 0) + 1);
}
return Object.fromEntries(colours);
"""
FRAME = "return Number(document.getElementById('frame').value)"
SPACE, LEFT, RIGHT, END, HOME = " ", "\ue012", "\ue014", "\ue010", "\ue011"


def rgb(colour: str) -> str:
    return ",".join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))


def page_data(path: Path) -> dict[str, Any]:
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text())
    assert match is not None
    return dict(json.loads(match[1]))


def hue(colours: np.ndarray) -> np.ndarray:
    """(...) degrees of (..., 3) RGB, NaN where a colour is greyish: what light does not change."""
    values = colours.astype(float)
    low, high = values.min(axis=-1), values.max(axis=-1)
    spread = high - low
    with np.errstate(invalid="ignore", divide="ignore"):
        angle = np.stack([
            (values[..., 1] - values[..., 2]) / spread % 6,
            (values[..., 2] - values[..., 0]) / spread + 2,
            (values[..., 0] - values[..., 1]) / spread + 4,
        ])  # fmt: skip
    which = values.argmax(axis=-1)
    degrees = 60 * np.take_along_axis(angle, which[None], axis=0)[0]
    return np.where(spread > 0.45 * high, degrees, np.nan)


def amount(image: np.ndarray, colour: str) -> int:
    """How many pixels have the hue of a colour."""
    wanted = hue(np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]))
    return int((np.abs(hue(image) - wanted) < 12).sum())


def changed(browser: Browser, before: np.ndarray) -> np.ndarray:
    """The 3D view, once it is another than ``before``."""
    for _ in range(60):
        now = browser.pixels("view")
        if not np.array_equal(now, before):
            return now
        time.sleep(0.05)
    raise AssertionError("the 3D view has not changed")


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


def test_three_js_is_the_stated_one_and_its_licence_is_in_the_page(tmp_path: Path) -> None:
    vendor = resources.files("poselift.viewer") / "vendor"
    stated = re.findall(r"`three.min.js` \| `(\w{64})`", (vendor / "README.md").read_text("utf-8"))
    assert stated == [hashlib.sha256((vendor / "three.min.js").read_bytes()).hexdigest()]
    page = write_html(walker(), tmp_path / "a.html").read_text("utf-8")
    assert (vendor / "LICENSE.three.txt").read_text("utf-8").strip() in page


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
    ink = browser.run(INK)
    for colour in (palette["left"], palette["right"], *palette["persons"][:2]):
        assert ink.get(rgb(colour), 0) > 20, colour
    view = browser.pixels("view")
    for colour in (palette["left"], palette["right"], palette["persons"][1]):
        assert amount(view, colour) > 200, colour
    labels = browser.run(
        "return [...document.querySelectorAll('#labels span')].map((x) => x.style.color)"
    )
    assert labels == [f"rgb({rgb(c).replace(',', ', ')})" for c in palette["persons"][:2]]
    assert browser.run("return document.getElementById('message').hidden")
    assert browser.run("return document.title").startswith("</script></title><img")
    assert browser.complaints() == []
    assert browser.requests() == [page.resolve().as_uri()]


def test_left_is_left_and_heads_are_up(browser: Browser, tmp_path: Path) -> None:
    browser.open(write_html(walker(), tmp_path / "a.html"))
    before = browser.pixels("view")
    browser.run("document.querySelector('[data-view=camera]').click()")
    view = changed(browser, before)
    palette = PALETTE["light"]

    def middle(colour: str) -> np.ndarray:
        wanted = hue(np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]))
        return np.argwhere(np.abs(hue(view) - wanted) < 12).mean(axis=0)

    # The walker faces the camera: his left is at the right.
    assert middle(palette["left"])[1] > middle(palette["right"])[1] + 10
    rows = np.flatnonzero((view[40:].max(axis=-1) < 110).any(axis=1))  # head and trunk, caption cut
    feet = np.argwhere(np.abs(hue(view[40:]) - 207) < 12)[:, 0].max()
    assert rows.min() < 0.3 * len(view) < 0.6 * len(view) < feet


def test_the_edge_of_the_image_is_not_at_the_edge_of_the_page(
    browser: Browser, tmp_path: Path
) -> None:
    pose = walker(meta={"image_size": [880, 640]})  # who comes near its right edge
    browser.open(write_html(pose, tmp_path / "a.html"))
    width, columns = browser.run("""
const canvas = document.getElementById('image'), { width, height } = canvas;
const values = canvas.getContext('2d').getImageData(0, 0, width, height).data;
const columns = [];
for (let x = 0; x < width; x++) {
  let drawn = 0;
  for (let y = 0; y < height; y++) drawn += values[4 * (y * width + x) + 3] > 0;
  if (drawn > 0.6 * height) columns.push(x);
}
return [width, columns];
""")
    assert columns
    assert width - 12 < columns[-1] < width - 4


def test_playing_moves_the_skeleton(browser: Browser, page: Path) -> None:
    before = browser.pixels("view")
    browser.run("document.getElementById('play').click()")
    browser.wait(f"return (() => {{ {FRAME} }})() > 3")
    changed(browser, before)
    assert browser.run("return document.getElementById('play').textContent") == "Pause"
    browser.press(SPACE)
    browser.wait("return document.getElementById('play').textContent === 'Play'")
    frame = browser.run(FRAME)
    browser.run("return new Promise((done) => setTimeout(done, 200))")
    assert browser.run(FRAME) == frame
    assert browser.complaints() == []


def test_scrubbing_changes_the_frame(browser: Browser, page: Path) -> None:
    before = browser.pixels("view")
    browser.run(
        "const slider = document.getElementById('frame'); slider.value = 20;"
        "slider.dispatchEvent(new Event('input'))"
    )
    browser.wait("return document.getElementById('readout').textContent.includes('21 / 60')")
    assert "0.67 s" in browser.run("return document.getElementById('readout').textContent")
    changed(browser, before)


def test_keys(browser: Browser, page: Path) -> None:
    steps = ((RIGHT, 1), (RIGHT, 2), (LEFT, 1), (END, 59), (RIGHT, 59), (HOME, 0), (LEFT, 0))
    for focus in ("view", "frame"):
        browser.run("document.getElementById(arguments[0]).focus()", focus)
        for key, frame in steps:
            browser.press(key)
            browser.wait(f"return (() => {{ {FRAME} }})() === {frame}")
    before = browser.pixels("view")
    browser.press("a")
    turned = changed(browser, before)
    browser.press("+")
    changed(browser, turned)


def test_dragging_turns_and_moves_the_view(browser: Browser, page: Path) -> None:
    def place() -> np.ndarray:
        box = browser.run(
            "const box = document.querySelector('#labels span').getBoundingClientRect();"
            "return [box.x, box.y]"
        )
        return np.array(box)

    x, y = browser.run(
        "const box = document.getElementById('view').getBoundingClientRect();"
        "return [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)]"
    )
    first, before = browser.pixels("view"), place()
    browser.drag((x, y), (40, 30), button=2)
    changed(browser, first)
    moved = place() - before
    assert moved == pytest.approx([40, 30], rel=0.35)
    now = browser.pixels("view")
    browser.drag((x, y), (80, 20))
    now = changed(browser, now)
    browser.run("document.querySelector('[data-view=top]').click()")
    changed(browser, now)
    browser.press("r")
    browser.wait(
        "const box = document.querySelector('#labels span').getBoundingClientRect();"
        f"return Math.hypot(box.x - {before[0]}, box.y - {before[1]}) < 0.5"
    )
    assert browser.complaints() == []


def test_a_person_can_be_hidden(browser: Browser, page: Path) -> None:
    second = PALETTE["light"]["persons"][1]
    before = browser.pixels("view")
    browser.run("document.querySelectorAll('#legend input')[1].click()")
    assert amount(changed(browser, before), second) == 0
    assert rgb(second) not in browser.run(INK)


def test_light_and_dark_can_be_chosen(browser: Browser, page: Path) -> None:
    before = browser.pixels("view")
    assert before[-5, 5:].min() > 180
    browser.run("document.getElementById('theme').click()")
    dark = changed(browser, before)
    assert dark[-5, 5:].max() < 80
    for key in ("left", "right"):
        assert amount(dark, PALETTE["dark"][key]) > 200
    assert rgb(PALETTE["dark"]["left"]) in browser.run(INK)
    browser.run("document.getElementById('theme').click()")
    browser.wait("return document.documentElement.dataset.theme === 'light'")


def test_odd_poses(browser: Browser, tmp_path: Path) -> None:
    gaps = walker(frames=4)
    gaps.joints[0, :2] = np.nan
    points = Skeleton("one", ("a",), {}, "a")
    for number, (pose, empty) in enumerate((
        (Pose3D(np.full((2, 3, 17, 3), np.nan)), True),
        (walker(frames=1, keypoints=None), False),
        (gaps, True),
        (Pose3D(np.zeros((1, 1, 1, 3)), skeleton=points), False),
        (walker(times=np.arange(60) ** 1.5 + 7, meta={"image_size": [1280, 720]}), False),
    )):  # fmt: skip
        browser.open(write_html(pose, tmp_path / f"{number}.html"))
        text = browser.run("return document.getElementById('message').textContent")
        assert text == ("Nobody in this frame." if empty else "")
        browser.press(END)
        assert browser.complaints() == []


def test_a_dark_phone_that_plays_at_once(
    start_browser: Callable[..., Browser], tmp_path: Path
) -> None:
    phone = start_browser(size=(360, 780), dark=True, calm=False, touch=True)
    path = write_html(walker(persons=2), tmp_path / "a.html", title="word" * 40)
    phone.open(path)
    phone.wait(f"return (() => {{ {FRAME} }})() > 2", seconds=30)
    phone.run("document.getElementById('play').click()")
    phone.wait("return document.getElementById('play').textContent === 'Play'")
    palette = page_data(path)["palette"]["dark"]
    view = phone.pixels("view")
    assert view[-5, 5:].max() < 80
    assert amount(view, palette["left"]) > 200
    assert amount(view, palette["right"]) > 200
    # Nothing sticks out to the side, and the controls are in sight without scrolling.
    assert phone.run("return document.documentElement.scrollWidth") <= 360
    bottom = "return document.getElementById('frame').getBoundingClientRect().bottom"
    assert phone.run(bottom) <= 780
    before = phone.pixels("view")
    phone.drag((150, 250), (90, 0), touch=True)
    changed(phone, before)
    assert phone.complaints() == []
    assert phone.requests() == [path.resolve().as_uri()]


def test_a_browser_without_webgl_says_so(
    start_browser: Callable[..., Browser], tmp_path: Path
) -> None:
    old = start_browser(webgl=False)
    old.open(write_html(walker(), tmp_path / "a.html"))
    assert "no WebGL" in old.run("return document.getElementById('message').textContent")
    assert old.run("return document.getElementById('message').hidden") is False
    old.press(END)
    old.wait(f"return (() => {{ {FRAME} }})() === 59")
    assert rgb(PALETTE["light"]["left"]) in old.run(INK)
