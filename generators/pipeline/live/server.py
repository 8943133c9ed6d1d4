"""Serves the newest pages to browsers on this machine, and tells open ones what changed."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from generators.errors import Busy

_PATIENCE_S = 20
"""How long a browser waits for news before it asks again."""

_SCRIPT = """<script>
(async function (known) {
  const bar = document.createElement("pre");
  bar.id = "live";
  bar.setAttribute("role", "status");
  bar.style.cssText = "position:fixed;bottom:0;left:0;right:0;margin:0;padding:.5rem 1rem;z-index:9;white-space:pre-wrap;"
    + "font-size:.7rem;background:#24292f;color:#fff";
  document.body.append(bar);
  for (;;) {
    bar.textContent = known.note;
    bar.hidden = !known.note;
    try {
      const news = await (await fetch("/live/" + known.version)).json();
      if (news.pages !== known.pages) return location.reload();
      known = news;
    } catch {
      await new Promise(later => setTimeout(later, 1000));
    }
  }
})(%s);
</script>
"""


@dataclass(frozen=True)
class Shown:
    """What browsers show: a folder, a note beside it, and numbers that grow with each change and with each other page."""

    folder: Path
    note: str = ""
    version: int = 0
    pages: int = 0

    def told(self) -> str:
        """As JSON, for the script."""
        facts = asdict(self)
        del facts["folder"]
        return json.dumps(facts).replace("<", "\\u003c")


class Showing:
    """What is shown now; requests wait here for the next change."""

    def __init__(self, folder: Path) -> None:
        self.now = Shown(folder)
        self.changed = threading.Condition()

    def pages(self, folder: Path, note: str = "") -> None:
        """Show other pages."""
        self._change(replace(self.now, folder=folder, note=note, pages=self.now.pages + 1))

    def note(self, note: str) -> None:
        """Say something beside the pages that are shown."""
        self._change(replace(self.now, note=note))

    def _change(self, shown: Shown) -> None:
        with self.changed:
            self.now = replace(shown, version=shown.version + 1)
            self.changed.notify_all()

    def after(self, version: int) -> Shown:
        """What is shown once that is another version, or after a while."""
        with self.changed:
            self.changed.wait_for(lambda: self.now.version != version, _PATIENCE_S)
            return self.now


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments: object, showing: Showing) -> None:
        self.showing = showing
        super().__init__(*arguments, directory=str(showing.now.folder))  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Called for each request."""
        with suppress(ConnectionError):  # the browser has left the page
            self._answer()

    def _answer(self) -> None:
        news = re.fullmatch(r"/live/(\d+)", self.path)
        if news:
            self._send(self.showing.after(int(news[1])).told().encode(), "application/json")
            return
        place = Path(self.translate_path(self.path))
        place = place / "index.html" if place.is_dir() else place
        if place.suffix == ".html" and place.is_file():
            shown = self.showing.now
            script = (_SCRIPT % shown.told()).encode()
            self._send(place.read_bytes().replace(b"</body>", script + b"</body>"), "text/html; charset=utf-8")
            return
        super().do_GET()

    def end_headers(self) -> None:
        """Called at the end of all headers; a picture may change too."""
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def _send(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Requests are not printed."""


@contextmanager
def serving(showing: Showing, port: int) -> Iterator[str]:
    """Serve on a port of this machine, any that is free for 0; gives the address."""
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, showing=showing))
    except OSError as error:
        raise Busy(f"port {port}: cannot be used ({error.strerror}); name another with --port") from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
