"""Keeps what mkdocs makes of each page's Markdown, so that a build converts and indexes only pages that changed."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import BasePlugin
from mkdocs.structure.files import Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page
from mkdocs.structure.toc import AnchorLink, TableOfContents

from generators.pipeline.catalog import ROOT
from generators.pipeline.digest import digest_of, digests
from generators.pipeline.kept import BUILD, Section, keep, load

_KEPT = BUILD / "pages.json"
_READ = (Path(__file__), Path(__file__).with_name("markdown.py"), ROOT / "mkdocs.yml", ROOT / "requirements.lock")
"""What a page's HTML depends on besides its Markdown and the files that it may link to."""


class KeptPages(BasePlugin):  # type: ignore[misc]
    """Takes a page's HTML, contents, links and search entries from the build before, where nothing that makes them changed."""

    def __init__(self) -> None:
        self.kept = load(_KEPT)
        self.made: dict[str, Section] = {}

    def on_nav(self, nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
        """Called when all pages and all files are known."""
        others = digest_of([digests(_READ), sorted(file.src_uri for file in files)])
        for page in nav.pages:
            page.render = partial(self._render, page, page.render, others)
        index = config.plugins["material/search"].search_index
        index.add_entry_from_context = partial(self._index, index, index.add_entry_from_context)
        return nav

    def _render(self, page: Page, render: Any, others: str, config: MkDocsConfig, files: Files) -> None:
        key = digest_of([page.markdown, page.title, page.url, others])
        kept = self.kept.get(page.url)
        if kept is None or kept.key != key:
            render(config, files)
            self.made[page.url] = Section(key, _facts(page))
            return
        self.made[page.url] = kept
        facts = kept.content
        page.content, page._title_from_render = facts["html"], facts["title"]
        page.toc = TableOfContents([_link(one) for one in facts["toc"]])
        page.present_anchor_ids = set(facts["anchors"])
        page.links_to_anchors = {files.src_uris[target]: links for target, links in facts["links"].items()}

    def _index(self, index: Any, add: Any, page: Page) -> None:
        facts = self.made[page.url].content
        if "entries" in facts:
            index.entries += facts["entries"]
        else:
            before = len(index.entries)
            add(page)
            facts["entries"] = index.entries[before:]

    def keep(self) -> None:
        """Keep the pages of a build that succeeded."""
        if self.made != self.kept:
            keep(_KEPT, self.made)


def _facts(page: Page) -> dict[str, Any]:
    return {
        "html": page.content,
        "title": page._title_from_render,
        "toc": [_written(one) for one in page.toc],
        "anchors": sorted(page.present_anchor_ids or ()),
        "links": {target.src_uri: links for target, links in (page.links_to_anchors or {}).items()},
    }


def _written(link: AnchorLink) -> list[Any]:
    return [link.title, link.id, link.level, [_written(one) for one in link.children]]


def _link(written: list[Any]) -> AnchorLink:
    title, name, level, children = written
    link = AnchorLink(title, name, level)
    link.children = [_link(one) for one in children]
    return link
