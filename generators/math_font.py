"""The site's maths font: STIX Two Math from an installed package, cut down to what formulas use."""

from __future__ import annotations

import io
from pathlib import Path

from generators.build import BUILD, write_whole
from generators.reads import digest_of_file
from generators.catalog import ROOT

_RANGES = (
    (0x0020, 0x007E), (0x00A0, 0x00FF), (0x0300, 0x036F), (0x0370, 0x03FF), (0x2000, 0x206F), (0x2070, 0x209F),
    (0x20D0, 0x20FF), (0x2100, 0x214F), (0x2190, 0x21FF), (0x2200, 0x22FF), (0x2300, 0x23FF), (0x27C0, 0x27FF),
    (0x1D400, 0x1D7FF),
)  # fmt: skip


def math_font() -> bytes:
    """The font as WOFF2, with the tables that MathML needs; kept in `build/` for the next build."""
    kept = BUILD / f"math-{digest_of_file(ROOT / 'requirements.lock')[:16]}.woff2"
    if not kept.is_file():
        write_whole(kept, _subset())
    return kept.read_bytes()


def _subset() -> bytes:
    import ziamath
    from fontTools import subset

    options = subset.Options(flavor="woff2", layout_features=["*"], notdef_outline=True)
    options.flavor = "woff2"
    font = subset.load_font(str(Path(ziamath.__file__).parent / "fonts" / "STIXTwoMath-Regular.ttf"), options)
    font["head"].modified = font["head"].created  # no clock in the file
    font.recalcTimestamp = False
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=[code for low, high in _RANGES for code in range(low, high + 1)])
    cutter.subset(font)
    buffer = io.BytesIO()
    subset.save_font(font, buffer, options)
    return buffer.getvalue()
