"""Which characters can be shown: those of the one font that pictures use and that PDFs fall back to."""

from __future__ import annotations

import importlib.util
import unicodedata
from functools import lru_cache
from pathlib import Path

from generators.errors import RenderError

FONT = "DejaVu Sans"


def font_folder() -> Path:
    """Matplotlib's folder of fonts, found without the cost of importing matplotlib."""
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise RenderError("matplotlib is not installed; its fonts are needed for PDFs, run `make install`")
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"


def first_unshown(text: str) -> str | None:
    """The first character of `text` that the font lacks or that shows nothing by itself, such as a line break."""
    return next((mark for mark in text if not (mark.isascii() and mark.isprintable()) and not _shown(mark)), None)


def lacking(text: str) -> frozenset[str]:
    """The characters of `text` that the font lacks; PDFs join combining marks to their base."""
    return frozenset(mark for mark in text if not mark.isspace() and ord(mark) not in _characters())


def _shown(mark: str) -> bool:
    """Typst does not join combining marks (M*) to their base in pictures; controls (C*) and separators (Zl, Zp) are invisible."""
    kind = unicodedata.category(mark)
    return kind[0] not in "MC" and kind not in ("Zl", "Zp") and ord(mark) in _characters()


@lru_cache(maxsize=1)
def _characters() -> frozenset[int]:
    from fontTools.ttLib import TTFont

    with TTFont(font_folder() / "DejaVuSans.ttf", lazy=True) as font:
        return frozenset(font.getBestCmap())
