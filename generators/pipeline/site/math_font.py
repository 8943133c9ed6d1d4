"""The site's maths font: STIX Two Math from an installed package, cut down to what formulas use."""

from __future__ import annotations

import base64
import importlib.util
import io
from pathlib import Path

from generators.errors import RenderError
from generators.pipeline.catalog import ROOT
from generators.pipeline.digest import digest_of, digests
from generators.pipeline.kept import BUILD, Section, current, keep, load

_KEPT = BUILD / "math.json"

_RANGES = (
    (0x0020, 0x007E), (0x00A0, 0x00A0), (0x00AC, 0x00AC), (0x00AF, 0x00B7), (0x00D7, 0x00D7), (0x00F7, 0x00F7), (0x02C6, 0x02C6),
    (0x02DC, 0x02DC), (0x0302, 0x0305), (0x0332, 0x0332), (0x0338, 0x0338), (0x0391, 0x03C9), (0x03D1, 0x03F5), (0x2010, 0x2016),
    (0x2026, 0x2026), (0x2032, 0x2034), (0x2061, 0x2064), (0x2102, 0x2102), (0x210B, 0x210F), (0x2112, 0x2115), (0x2119, 0x211D),
    (0x2124, 0x2124), (0x2130, 0x2131), (0x2190, 0x2194), (0x21D0, 0x21D4), (0x2200, 0x222B),
    (0x223C, 0x223C), (0x2248, 0x2248), (0x2260, 0x2265), (0x226A, 0x226B), (0x2282, 0x2287), (0x2295, 0x2299), (0x22A4, 0x22A5),
    (0x22C5, 0x22C5), (0x22EE, 0x22F1), (0x2308, 0x230B), (0x23DE, 0x23DF), (0x27E8, 0x27E9), (0x1D400, 0x1D467),
    (0x1D538, 0x1D551), (0x1D6A4, 0x1D6A5), (0x1D6E2, 0x1D71B), (0x1D7CE, 0x1D7D7),
)  # fmt: skip
"""Latin, Greek, accents, letters of sets, common operators, brackets; bold, italic and double-struck letters; bold digits.

What is left out comes from the reader's own fonts: the whole font would weigh more than all else of a page.
"""


def math_font() -> bytes:
    """The font as WOFF2 with the tables that MathML needs; kept in `build/` for the next build."""
    key = digest_of(digests([Path(__file__), ROOT / "requirements.lock"]))
    held = current(load(_KEPT).get("font"), key)
    if held is None:
        held = Section(key, base64.b64encode(_subset()).decode())
        keep(_KEPT, {"font": held})
    return base64.b64decode(held.content)


def _subset() -> bytes:
    from fontTools import subset

    options = subset.Options(layout_features=[], hinting=False)  # other shapes for indices would double it
    options.flavor = "woff2"
    font = subset.load_font(str(_source()), options)
    font.recalcTimestamp = False
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=[code for low, high in _RANGES for code in range(low, high + 1)])
    cutter.subset(font)
    buffer = io.BytesIO()
    subset.save_font(font, buffer, options)
    font.close()
    return buffer.getvalue()


def _source() -> Path:
    spec = importlib.util.find_spec("ziamath")
    if spec is None or spec.origin is None:
        raise RenderError("ziamath is not installed; its font is needed for formulas, run `make install`")
    return Path(spec.origin).parent / "fonts" / "STIXTwoMath-Regular.ttf"
