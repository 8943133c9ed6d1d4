"""What `serve` builds: pages that are shown before their values are found again, and then the site itself."""

from __future__ import annotations

import gc

from generators.pipeline.build import Tell, drafts
from generators.pipeline.catalog import entries
from generators.pipeline.files import PAGES, put_in_place, restore, staging
from generators.pipeline.kept import BUILD
from generators.pipeline.lock import alone
from generators.pipeline.pdf.builder import PDFS
from generators.pipeline.pdf.submission import plan
from generators.pipeline.site.builder import build_site, make_site, write_pages

DRAFTS = BUILD / "drafts"


def build_drafts(tell: Tell) -> bool:
    """Bring `build/drafts/` up to date: the site with the PDFs as they are; tell whether a check would add nothing to it."""
    gc.disable()
    with alone("serve", tell):
        restore(PAGES)
        worked_out = drafts(entries(), tell)
        write_pages(worked_out, {path: (PDFS / path).read_bytes() for path in plan(worked_out) if (PDFS / path).is_file()})
        new = staging(DRAFTS)
        make_site(worked_out, new, strict=False)
        put_in_place(new, DRAFTS)
    return all(one.ledger and one.variants is not None for one in worked_out.values())


def build_checked(tell: Tell) -> None:
    """Find values again, and bring `site/` and the PDFs up to date."""
    with alone("serve", tell):
        build_site(entries(), tell)
