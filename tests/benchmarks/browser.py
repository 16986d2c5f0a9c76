"""A film in a real browser: does it play, and does it show the right frame wherever one jumps to?"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_S = 120.0
PLAYED_S = 1.5

PAGE = """<!doctype html><video id=v src=/film.mp4 preload=auto></video><script>
const v = document.getElementById("v"), told = {seeks: []};
const once = (name) => new Promise((done) => v.addEventListener(name, done, {once: true}));
const shown = () => new Promise((done) => v.requestVideoFrameCallback((_, frame) => done(frame.mediaTime)));
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const tell = () => fetch("/told", {method: "POST", body: JSON.stringify(told)});
v.addEventListener("error", () => { told.error = v.error.message; tell(); });
(async () => {
  await once("loadeddata");
  Object.assign(told, {duration_s: v.duration, width: v.videoWidth, height: v.videoHeight});
  await v.play(); await wait(PLAYED_MS); v.pause();
  told.played_s = v.currentTime;
  told.audio_bytes = v.webkitAudioDecodedByteCount;
  for (const time_s of SEEKS) {
    const frame = shown(); v.currentTime = time_s; await once("seeked");
    told.seeks.push({time_s, shown_s: await frame, ready: v.readyState});
  }
  told.dropped = v.getVideoPlaybackQuality().droppedVideoFrames; tell();
})().catch((error) => { told.error = String(error); tell(); });
</script>"""


@dataclass(frozen=True, slots=True)
class Jump:
    """To ``time_s``; the frame that was shown is that of ``shown_s``."""

    time_s: float
    shown_s: float


@dataclass(frozen=True, slots=True)
class Played:
    """``played_s`` how far it came in :data:`PLAYED_S` seconds; ``error`` empty where there was none."""

    duration_s: float
    played_s: float
    has_sound: bool
    jumps: tuple[Jump, ...]
    error: str


def browser() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def played(film: Path, seeks_s: Sequence[float]) -> Played:
    """Raises LookupError where there is no browser, TimeoutError where it tells nothing."""
    if not (program := browser()):
        raise LookupError("there is no browser")
    told: Queue[dict[str, Any]] = Queue()
    server = _Server(("127.0.0.1", 0), _handler(film, _page(seeks_s), told))
    Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required",
             f"--user-data-dir={profile}", "--remote-debugging-port=0", f"http://127.0.0.1:{server.server_port}/"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            return _read(told.get(timeout=PATIENCE_S))
        except Empty as error:
            raise TimeoutError("the browser tells nothing") from error
        finally:
            process.terminate()
            process.wait()
            server.shutdown()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser hangs up when it has seen enough."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _read(told: dict[str, Any]) -> Played:
    return Played(
        float(told.get("duration_s", 0.0)), float(told.get("played_s", 0.0)), told.get("audio_bytes", 0) > 0,
        tuple(Jump(jump["time_s"], jump["shown_s"]) for jump in told["seeks"]), told.get("error", ""),
    )  # fmt: skip


def _page(seeks_s: Sequence[float]) -> bytes:
    page = PAGE.replace("SEEKS", json.dumps(list(seeks_s))).replace("PLAYED_MS", str(round(1000 * PLAYED_S)))
    return page.encode()


def _handler(film: Path, page: bytes, told: Queue[dict[str, Any]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """The page, the film in the pieces that are asked for, and an ear for what the page tells."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            content, kind = (film.read_bytes(), "video/mp4") if self.path == "/film.mp4" else (page, "text/html")
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            start = int(asked[1]) if asked else 0
            end = min(int(asked[2]) + 1 if asked and asked[2] else len(content), len(content))
            self.send_response(206 if asked else 200)
            self.send_header("Content-Type", kind)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(end - start))
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
            self.end_headers()
            self.wfile.write(content[start:end])

        def do_POST(self) -> None:
            told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: what matters is told."""

    return Handler
