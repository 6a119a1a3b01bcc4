"""A headless Chromium, driven through ChromeDriver by the W3C WebDriver protocol.

Without a package for browsers, so that the tests need no further one.
"""

from __future__ import annotations

import base64
import io
import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--use-angle=swiftshader",  # WebGL without a graphics card
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)


def find() -> tuple[str, str] | None:
    """Programs of the browser and of its driver, or ``None`` where one is missing."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


class Browser:
    """One browser window; use it as a context manager.

    Args:
        size: (width, height) of the page in CSS pixels.
        dark: whether the reader prefers dark pages.
        calm: whether the reader prefers less motion, so that nothing plays by itself.
        touch: whether it is a phone: mobile layout, twice the pixels.
        webgl: whether it draws in 3D.
    """

    def __init__(
        self,
        size: tuple[int, int] = (1200, 800),
        dark: bool = False,
        calm: bool = True,
        touch: bool = False,
        webgl: bool = True,
    ) -> None:
        found = find()
        if found is None:
            raise RuntimeError("chromium and chromedriver are not installed")
        self._size, self._dark, self._calm, self._touch = size, dark, calm, touch
        self._flags = FLAGS if webgl else (*FLAGS, "--disable-3d-apis")
        self._programs = found

    def __enter__(self) -> Browser:
        browser, driver = self._programs
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._driver = subprocess.Popen(
            [driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._base = f"http://127.0.0.1:{port}"
        try:
            self._start(browser)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if "/session/" in self._base:
                self._call("DELETE", "")
        finally:
            self._driver.terminate()
            self._driver.wait(timeout=20)
            self._profile.cleanup()

    def open(self, page: Path) -> None:
        """Load a local page, with the messages so far dropped."""
        self._log("browser")
        self._log("performance")
        self._call("POST", "/url", {"url": page.resolve().as_uri()})

    def run(self, script: str, *arguments: Any) -> Any:
        """Value of a JavaScript function body."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, script: str, seconds: float = 10.0) -> Any:
        """Wait until the script gives something true, and return it."""
        end = time.monotonic() + seconds
        while True:
            value = self.run(script)
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError(f"not true within {seconds} s: {script}")
            time.sleep(0.05)

    def press(self, *keys: str) -> None:
        """Type keys into whatever has the focus; special keys by their WebDriver code."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._call(
            "POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]}
        )

    def drag(
        self,
        start: tuple[int, int],
        by: tuple[int, int],
        touch: bool = False,
        button: int = 0,
    ) -> None:
        """Press at ``start`` (CSS pixels of the page), move, and let go."""
        x, y = start
        move = {"type": "pointerMove", "duration": 80}
        actions = [
            {**move, "x": x, "y": y, "duration": 0},
            {"type": "pointerDown", "button": button},
            {**move, "x": x + by[0], "y": y + by[1]},
            {"type": "pointerUp", "button": button},
        ]
        pointer = {
            "type": "pointer",
            "id": "touch" if touch else "mouse",
            "parameters": {"pointerType": "touch" if touch else "mouse"},
            "actions": actions,
        }
        self._call("POST", "/actions", {"actions": [pointer]})

    def complaints(self) -> list[str]:
        """Warnings and errors on the console since the last time."""
        return [entry["message"] for entry in self._log("browser")]

    def requests(self) -> list[str]:
        """Addresses asked for since the last time, the page among them."""
        messages = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    def picture(self, path: Path) -> None:
        """Save what is on the screen as PNG."""
        path.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))

    def pixels(self, name: str) -> npt.NDArray[np.uint8]:
        """(H, W, 3) RGB of the element of that id, as it is on the screen."""
        box = self.run(
            "const box = document.getElementById(arguments[0]).getBoundingClientRect();"
            "return [box.left, box.top, box.right, box.bottom].map((x) =>"
            " Math.round(x * devicePixelRatio))",
            name,
        )
        data = base64.b64decode(self._call("GET", "/screenshot"))
        with av.open(io.BytesIO(data)) as picture:
            image = next(picture.decode(video=0)).to_ndarray(format="rgb24")
        left, top, right, bottom = box
        return np.asarray(image[top:bottom, left:right])

    def _start(self, browser: str) -> None:
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if self._dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if self._calm else ""},
        ]
        options: dict[str, Any] = {
            "binary": browser,
            "args": [*self._flags, f"--user-data-dir={self._profile.name}"],
            "perfLoggingPrefs": {"enableNetwork": True},
        }
        capabilities = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "WARNING", "performance": "ALL"},
        }
        end = time.monotonic() + 30
        while True:
            try:
                self._call("GET", "/status")
                break
            except urllib.error.URLError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        body = {"capabilities": {"alwaysMatch": capabilities}}
        session = self._call("POST", "/session", body)["sessionId"]
        self._base += f"/session/{session}"
        width, height = self._size
        metrics = {"width": width, "height": height, "mobile": self._touch}
        metrics["deviceScaleFactor"] = 2 if self._touch else 1
        self._devtools("Emulation.setDeviceMetricsOverride", metrics)
        self._devtools("Emulation.setEmulatedMedia", {"features": features})
        if self._touch:
            self._devtools("Emulation.setTouchEmulationEnabled", {"enabled": True})

    def _devtools(self, command: str, parameters: dict[str, Any]) -> Any:
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def _log(self, kind: str) -> list[dict[str, Any]]:
        return list(self._call("POST", "/se/log", {"type": kind}))

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = json.dumps(body if body is not None else {}).encode() if method == "POST" else None
        request = urllib.request.Request(self._base + path, data, method=method)
        # No proxy stands between a program and its own machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                message = json.load(error)["value"]["message"]
            raise RuntimeError(f"{method} {path}: {message}") from None
