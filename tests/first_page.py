"""The picture of the first page that README opens with, and the text that it shows: `make picture` takes both."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, ViewportSize

from generators.pipeline.catalog import ROOT
from tests.browsing import CHROMIUM, chromium, served

PICTURE, TEXT = (ROOT / ".github" / f"first-page.{ending}" for ending in ("png", "txt"))
SEEN: ViewportSize = {"width": 1200, "height": 820}


def seen(browser: Browser, site: Path, picture: Path | None = None) -> str:
    """The text of the first page; a picture of its top is taken where one is wanted."""
    with served(site) as address:
        page = browser.new_page(viewport=SEEN, color_scheme="light")
        page.goto(f"{address}/index.html", wait_until="networkidle")
        if picture:
            page.screenshot(path=picture)
        text = page.inner_text("article")
        page.close()
    return f"{text.strip()}\n"


if __name__ == "__main__":
    if CHROMIUM is None:
        raise SystemExit("error: no `chromium` on the path")
    with chromium() as started:
        TEXT.write_text(seen(started, ROOT / "site", PICTURE), encoding="utf-8")
