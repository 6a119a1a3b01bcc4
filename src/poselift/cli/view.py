"""Look at a motion file in the browser.

Makes a page of a motion file (.npz, .json, .bvh, .trc, .c3d or .glb) and opens it; a page (.html)
is opened as it is. The page is one file that needs no network: with -o it is kept, and can be
sent to anyone. With --serve it is not opened but served on this machine, to nobody else, until
Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import webbrowser
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from poselift.cli.outputs import check_place
from poselift.cli.parser import Parser, count, new_path
from poselift.errors import DataError, UsageError

_HOST = "127.0.0.1"
_PAGES = (".html", ".htm")


def add_arguments(parser: Parser) -> None:
    """Arguments of ``poselift view``."""
    parser.add_argument("file", metavar="FILE", type=Path, help="motion file, or page")
    parser.add_argument(
        "-o",
        "--output",
        metavar="PAGE.html",
        type=new_path,
        help="write the page here, and open nothing",
    )
    parser.add_argument(
        "--serve", action="store_true", help="serve the page on this machine and print its address"
    )
    parser.add_argument(
        "--port", metavar="N", type=_port, help="for --serve (default: one that is free)"
    )
    parser.example(
        "poselift view lifted/walk.npz",
        "poselift view lifted/walk.bvh -o walk.html",
        "poselift view lifted/walk.npz --serve --port 8000",
    )


def run(args: argparse.Namespace) -> None:
    """Make the page where it is wanted, then serve or open it."""
    from poselift.files import read_bytes, write_bytes

    source, output = args.file, args.output
    if args.port is not None and not args.serve:
        raise UsageError("--port without --serve", "--serve beside it")
    if output is not None:
        if output.suffix.lower() not in _PAGES:
            raise UsageError(f"{output}: not the name of a page", "a name that ends in .html")
        check_place(output, [source])
    ready = source.suffix.lower() in _PAGES
    if ready and output is not None:
        raise UsageError(f"{source} is a page already", "", "leave out -o")
    page = read_bytes(source) if ready else _page(source)
    if output is not None:
        write_bytes(output, page)
    if args.serve:
        _serve(page, source.name, args.port)
    elif output is not None:
        print(f"{output}: open it in a browser")
    elif ready:
        _open(source)
    else:
        place = Path(tempfile.mkdtemp(prefix="poselift-")) / "motion.html"
        write_bytes(place, page)
        _open(place)


def _page(source: Path) -> bytes:
    from poselift import motion, viewer

    return viewer.make_page(motion.read(source), source.stem).encode()


def _open(page: Path) -> None:
    """Show a file in the browser; say where it is if there is none."""
    address = page.resolve().as_uri()
    # Without a screen only browsers for text are left, which show nothing of it.
    screen = not sys.platform.startswith("linux") or any(
        os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    )
    try:
        opened = screen and webbrowser.open(address)
    except webbrowser.Error:
        opened = False
    print(f"{page}: {'opened' if opened else 'no browser found here; open it in one'}")


def _serve(page: bytes, name: str, port: int | None) -> None:
    """Answer requests of this machine until interrupted."""
    try:
        server = ThreadingHTTPServer((_HOST, port or 0), partial(_Handler, page))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataError(
            f"port {port}: cannot be used ({reason})", "", "choose another --port"
        ) from error
    with server:
        print(f"{name}: http://{_HOST}:{server.server_port}/ (Ctrl-C ends it)", flush=True)
        try:
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:  # the way to end it, no failure
            print()


class _Handler(BaseHTTPRequestHandler):
    """Serves one page at /."""

    def __init__(self, page: bytes, *connection: Any) -> None:
        self._page = page
        super().__init__(*connection)

    def handle(self) -> None:
        """Answer, until the browser goes away, as it may at any time."""
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        """The page."""
        # Another site's script may not read the page under a name that leads here.
        host = (self.headers.get("Host") or "").rpartition(":")[0]
        if host not in (_HOST, "localhost") or self.path != "/":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(self._page)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(self._page)

    do_HEAD = do_GET  # noqa: N815 (the name that http.server looks for)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the terminal quiet."""


def _port(text: str) -> int:
    """The number of a port, 1 to 65535."""
    number = count(text)
    if number > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 1 to 65535")
    return number
