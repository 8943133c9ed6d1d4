"""Keeps what mkdocs makes of each page, so that a build converts, indexes and frames only pages that changed."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from jinja2 import Environment
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import BasePlugin
from mkdocs.structure.files import Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page
from mkdocs.structure.toc import AnchorLink, TableOfContents

from generators.pipeline.catalog import ROOT
from generators.pipeline.digest import digest_of, digests
from generators.pipeline.kept import BUILD, Section, current, keep, load
from generators.pipeline.site.kept_templates import KeptTemplates
from generators.pipeline.site.problems import Problems
from generators.pipeline.site.searched import searchable
from generators.pipeline.workers import FORKS, workers

_KEPT = BUILD / "pages.json"
_READ = (
    *(Path(__file__).with_name(name) for name in ("kept_pages.py", "markdown.py", "searched.py")),
    ROOT / "mkdocs.yml",
    ROOT / "requirements.lock",
)
"""What a page's HTML depends on besides its Markdown and the files that it may link to."""

TAKEN_IN = re.compile(r'^--8<-- "([^"]+)"', re.MULTILINE)

_OF_PAGES = "main.html"
"""The theme's template of pages."""

_WORTH_PROCESSES = 4
"""Fewer pages are converted sooner than two processes are forked."""


class KeptPages(BasePlugin):  # type: ignore[misc]
    """Takes a page's HTML, contents, links and search entries from the build before, where nothing that makes them changed.

    The theme's frame around a page is kept too, while navigation and settings stay.
    """

    def __init__(self) -> None:
        self.kept = load(_KEPT)
        self.made: dict[str, Section] = {}
        self.around = ""

    def on_config(self, config: MkDocsConfig, **_: Any) -> MkDocsConfig:
        """Called before the theme is read; mkdocs lists all its files, and then leaves out thousands of icons."""
        config.theme.get_env = partial(_without_icons, config.theme.get_env)
        config["mdx_configs"]["pymdownx.snippets"]["base_path"] = [config["docs_dir"]]  # wherever the command was started
        return config

    def on_nav(self, nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
        """Called when all pages and all files are known."""
        linked = sorted(file.src_uri for file in files if ".variant" not in file.src_uri)  # of variants only a script knows
        others = digest_of([digests(_READ), linked])
        self.around = digest_of([others, config["nav"]])
        index = config.plugins["material/search"].search_index
        convert = partial(_converted, index, index.add_entry_from_context, config, files)
        for page in nav.pages:
            page.read_source(config)
            key = digest_of([page.markdown, _taken_in(page.markdown, Path(config["docs_dir"])), page.title, page.url, others])
            self.made[page.url] = current(self.kept.get(page.url), key) or Section(key, None)
        stale = [page for page in nav.pages if self.made[page.url].content is None]
        for url, facts in _side_by_side(stale, convert).items():
            self.made[url] = Section(self.made[url].key, facts)
        for page in nav.pages:
            page.render = partial(self._render, page, partial(convert, page, page.render))
        index.add_entry_from_context = lambda page: index.entries.extend(self.made[page.url].content["entries"])
        return nav

    def on_env(self, env: Environment, **_: Any) -> Environment:
        """Called with what will read the theme's templates."""
        env.bytecode_cache = KeptTemplates()
        env.get_template = partial(self._template, env.get_template)  # type: ignore[method-assign]
        return env

    def _template(self, read: Callable[..., Any], name: str, *parent: Any) -> Any:
        template = read(name, *parent)
        of_page = name == _OF_PAGES and not parent  # else another template extends it
        return SimpleNamespace(render=partial(self._framed, template.render)) if of_page else template

    def _framed(self, frame: Callable[[Mapping[str, Any]], str], context: Mapping[str, Any]) -> str:
        made = self.made[context["page"].url]
        key = digest_of([made.key, self.around])
        if made.content.get("framed_for") != key:
            made = Section(made.key, {**made.content, "framed_for": key, "framed": frame(context)})
            self.made[context["page"].url] = made
        framed: str = made.content["framed"]
        return framed

    def _render(self, page: Page, convert: Callable[[], Any], config: MkDocsConfig, files: Files) -> None:
        made = self.made[page.url]
        if made.content is None:
            made = self.made[page.url] = Section(made.key, convert())
        facts = made.content
        page.content, page._title_from_render = facts["html"], facts["title"]
        page.toc = TableOfContents([_link(one) for one in facts["toc"]])
        page.present_anchor_ids = set(facts["anchors"])
        page.links_to_anchors = {files.src_uris[target]: links for target, links in facts["links"].items()}

    def keep(self) -> None:
        """Keep the pages of a build that succeeded."""
        if self.made != self.kept:
            keep(_KEPT, self.made)


def _taken_in(markdown: str, docs: Path) -> list[str]:
    """The texts that a page takes in."""
    return [(docs / name).read_text(encoding="utf-8") for name in TAKEN_IN.findall(markdown)]


def _without_icons(read: Callable[[], Environment]) -> Environment:
    """The theme's environment, which lists no folder whose name begins with a dot."""
    env: Any = read()
    folders = env.loader.searchpath
    env.loader.list_templates = lambda: sorted({name for folder in folders for name in _files(folder)})
    return cast("Environment", env)


def _files(folder: str) -> Iterator[str]:
    for place, inner, names in os.walk(folder):
        inner[:] = [one for one in inner if not one.startswith(".")]
        yield from (Path(place, name).relative_to(folder).as_posix() for name in names)


def _converted(index: Any, add: Any, config: MkDocsConfig, files: Files, page: Page, render: Any) -> dict[str, Any]:
    """Convert a page, and say what mkdocs and its search take from it."""
    render(config, files)
    content = page.content
    page.content = searchable(content)
    index.entries, others = [], index.entries
    add(page)
    index.entries, entries = others, index.entries
    return {
        "html": content,
        "title": page._title_from_render,
        "toc": [_written(one) for one in page.toc],
        "anchors": sorted(page.present_anchor_ids or ()),
        "links": {target.src_uri: links for target, links in (page.links_to_anchors or {}).items()},
        "entries": entries,
    }


_waiting: list[Callable[[], dict[str, Any]]] = []
"""What forked processes convert: pages cannot be sent to another process."""


def _side_by_side(stale: Sequence[Page], convert: Any) -> Mapping[str, dict[str, Any]]:
    """Pages converted in processes of their own, by address; one that fails or warns is left to mkdocs, which then says why."""
    if not FORKS or len(stale) < _WORTH_PROCESSES:
        return {}
    _waiting[:] = [partial(convert, page, page.render) for page in stale]
    with workers(os.cpu_count() or 1) as pool:
        made = list(pool.map(_quietly, range(len(stale))))
    return {page.url: facts for page, facts in zip(stale, made, strict=True) if facts}


def _quietly(place: int) -> dict[str, Any] | None:
    """The page at a place, converted; nothing where mkdocs had something to say."""
    logger, said = logging.getLogger("mkdocs"), Problems()
    logger.handlers = [said]
    try:
        facts = _waiting[place]()
    except Exception:
        return None
    return None if said.first else facts


def _written(link: AnchorLink) -> list[Any]:
    return [link.title, link.id, link.level, [_written(one) for one in link.children]]


def _link(written: list[Any]) -> AnchorLink:
    title, name, level, children = written
    link = AnchorLink(title, name, level)
    link.children = [_link(one) for one in children]
    return link
