"""``poselift view`` as a user runs it: a process of its own, a browser, a server."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import struct
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from poselift import motion
from poselift.poses import Pose3D
from poselift.viewer import write_html


@pytest.fixture
def motion_file(tmp_path: Path) -> Path:
    joints = np.random.default_rng(0).normal(size=(1, 5, 17, 3))
    pose = Pose3D(joints, fps=30.0, meta={"model": "tiny"})
    return motion.write(pose, tmp_path / "in" / "zwei Läufer.npz").paths[0]


def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """The command without a screen, unless ``environment`` gives it a browser."""
    gone = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    kept = {key: value for key, value in os.environ.items() if key not in gone}
    return subprocess.Popen(
        [sys.executable, "-m", "poselift", "view", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=kept | {"PYTHONUTF8": "1"} | environment,
    )


def run(*arguments: object, **environment: str) -> tuple[int, str, str]:
    with start(*arguments, **environment) as process:
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@contextmanager
def served(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server and its address; ended by force if the test has not ended it."""
    with start(*arguments, "--serve") as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "http://" in line, line + process.communicate(timeout=10)[1]
            yield process, line.partition("http://")[2].partition("/")[0]
        finally:
            process.kill()


def get(address: str, path: str = "/", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def test_a_page_is_written_where_it_is_wanted(motion_file: Path, tmp_path: Path) -> None:
    page = tmp_path / "new" / "page.html"
    code, out, err = run(motion_file, "-o", page)
    assert (code, out, err) == (0, f"{page}: open it in a browser\n", "")
    assert "<title>zwei Läufer</title>" in page.read_text("utf-8")


@pytest.mark.parametrize("extension", ["json", "bvh", "trc"])
def test_any_format_that_can_be_read(motion_file: Path, tmp_path: Path, extension: str) -> None:
    other = motion.write(motion.read(motion_file), tmp_path / f"a.{extension}").paths[0]
    code, _, err = run(other, "-o", tmp_path / "page.html")
    assert (code, err) == (0, "")
    assert (tmp_path / "page.html").stat().st_size > 500_000


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="how Linux finds its browser")
def test_the_browser_opens_the_page(motion_file: Path, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > "{tmp_path}/asked"\n')
    browser.chmod(0o755)
    code, out, err = run(motion_file, BROWSER=f"{browser} %s", TMPDIR=str(tmp_path))
    assert (code, err) == (0, "")
    assert out.endswith(": opened\n")
    address = (tmp_path / "asked").read_text()
    with urllib.request.urlopen(address) as page:
        assert "<title>zwei Läufer</title>" in page.read().decode()
    ready = write_html(motion.read(motion_file), tmp_path / "ready.html")
    assert run(ready, BROWSER=f"{browser} %s")[1] == f"{ready}: opened\n"
    assert (tmp_path / "asked").read_text() == ready.as_uri()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="how Linux finds its browser")
def test_without_a_browser_it_says_where_the_page_is(motion_file: Path, tmp_path: Path) -> None:
    code, out, err = run(motion_file, TMPDIR=str(tmp_path))
    assert (code, err) == (0, "")
    page, _, words = out.rpartition(": ")
    assert "no browser" in words
    assert "<title>zwei Läufer</title>" in Path(page).read_text("utf-8")
    assert Path(page).parent.parent == tmp_path


def test_serving_ends_cleanly(motion_file: Path, tmp_path: Path) -> None:
    with served(motion_file) as (process, address):
        assert address.startswith("127.0.0.1:")
        status, page = get(address)
        assert status == 200
        assert "<title>zwei Läufer</title>" in page.decode()
        assert get(address, "/etc/passwd")[0] == 404
        assert get(address, Host="evil.test:80")[0] == 404
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out.strip(), err) == (0, "", "")


def test_a_browser_that_goes_away_is_no_error(motion_file: Path) -> None:
    with served(motion_file) as (process, address):
        host, _, port = address.partition(":")
        with socket.create_connection((host, int(port))) as line:
            line.send(b"GET / HTTP/1.1\r\n")
            # Closed by a reset, as by a browser that stops loading.
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert get(address)[0] == 200
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert err == ""


def test_a_page_is_served_as_it_is_and_a_used_port_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    page.write_bytes(b"<!doctype html><title>mine</title>")
    with served(page) as (_, address):
        assert get(address) == (200, page.read_bytes())
        port = address.partition(":")[2]
        code, out, err = run(page, "--serve", "--port", port)
        assert (code, out) == (1, "")
        assert err.startswith(f"poselift: error: port {port}: cannot be used")
        assert err.count("\n") == 1


BAD = {
    "missing": (1, "no such file", lambda good: ["none.npz"]),
    "missing page": (1, "no such file", lambda good: ["none.html"]),
    "a video": (2, "'mp4' is not known", lambda good: ["walk.mp4"]),
    "only written": (2, "only written", lambda good: ["walk.csv"]),
    "output of another kind": (2, "ends in .html", lambda good: [good, "-o", "a.txt"]),
    "output of a page": (2, "a page already", lambda good: ["a.html", "-o", "b.html"]),
    "port alone": (2, "--port without --serve", lambda good: [good, "--port", "80"]),
    "no port": (2, "not a port", lambda good: [good, "--serve", "--port", "70000"]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str, command, motion_file, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TMPDIR", str(folder))
    code, text, make = BAD[name]
    done = command("view", *make(motion_file))
    assert (done.code, done.out) == (code, "")
    assert text in done.err
    assert done.err.count("\n") == 1
    assert list(folder.iterdir()) == []


def test_keypoints_must_be_lifted_first(command, walk_file) -> None:
    done = command("view", walk_file)
    assert done.code == 1
    assert "poselift lift" in done.err
