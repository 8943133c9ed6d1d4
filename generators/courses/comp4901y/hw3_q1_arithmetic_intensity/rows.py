"""The rows of the sheet's two forms, and the matrix products among them that it asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import sympy

from generators.answer import Part
from generators.topics.roofline import Product

L, D, n_H, H, n_KV, D_FF = sympy.symbols("L D n_H H n_KV D_ff", positive=True)
SIZES = {
    "1": sympy.Integer(1), "L": L, "(L+1)": L + 1, "D": D, "H": H, "n_H H": n_H * H, r"n_{\text{KV}} H": n_KV * H,
    "4D": 4 * D, r"D_{\text{ff}}": D_FF,
}  # fmt: skip
"""Every size as the forms write it."""


class Widths(NamedTuple):
    """How the forms write the width of all queries, of all keys and of the feed-forward network."""

    queries: str
    keys: str
    inner: str


class Row(NamedTuple):
    """Computation, input and output as LaTeX; where the sheet asks for the product, its name and m, k and n as written."""

    computation: str
    given: str
    made: str
    name: str = ""
    sizes: tuple[str, str, str] | None = None

    @property
    def product(self) -> Product:
        """The product that is asked for."""
        assert self.sizes
        return Product(*(SIZES[size] for size in self.sizes))


def forms(sheet: Part) -> dict[str, list[Row]]:
    """The forms of both parts by label, as the given sizes have them written."""
    queries = "D" if sheet["n_H"].value * sheet["H"].value == sheet["D"].value else "n_H H"
    keys = r"n_{\text{KV}} H" if sheet["grouped"] else queries
    widths = Widths(queries, keys, r"D_{\text{ff}}" if sheet["own_inner_width"] else "4D")
    return {"1.1": form(widths, decode=False), "1.2": form(widths, decode=True)}


def form(widths: Widths, *, decode: bool) -> list[Row]:
    """All rows of the form of 1.1, or of 1.2 where one token is decoded."""
    x, tokens, attended = ("t", "1", "(L+1)") if decode else ("x", "L", "L")
    return [*_into_heads(widths, x, tokens, attended), *_from_heads(widths, f"{x}'", tokens, attended)]


def _into_heads(widths: Widths, x: str, tokens: str, attended: str) -> Iterator[Row]:
    """Projections, each followed by its cache where that is longer, then a head of each."""
    cached = tokens != attended
    yield _product("Q", f"{x} W^Q", (x, "W^Q", "Q, Q_d" if cached else "Q"), (tokens, "D", widths.queries))
    for one in "KV":
        new, cache = f"{one}_d" if cached else one, rf"{one}_{{\text{{cache}}}}"
        yield _product(one, f"{x} W^{one}", (x, f"W^{one}", new), (tokens, "D", widths.keys))
        if cached:
            given = rf"{_space(cache, 'L', widths.keys)},\; {_space(new, tokens, widths.keys)}"
            yield Row(rf"\text{{concat}}({cache}, {new})", given, _space(one, attended, widths.keys))
    for one, rows, width in (("Q", tokens, widths.queries), ("K", attended, widths.keys), ("V", attended, widths.keys)):
        yield Row(rf"\text{{Partition}}_{{-1}}({one})", _space(one, rows, width), _space(f"{one}_i", rows, "H"))


def _from_heads(widths: Widths, last: str, tokens: str, attended: str) -> Iterator[Row]:
    """Attention of one head, the merge, and the feed-forward network."""
    score, out = r"\text{score}_i", r"\text{Out}"
    given = rf"{_space('Q_i', tokens, 'H')},\; {_space('K_i', attended, 'H')}"
    softmax = r"\text{softmax}\left(\frac{Q_i K_i^\top}{\sqrt{D}}\right)"
    yield Row(softmax, given, _space(score, tokens, attended), "QKᵀ", (tokens, "H", attended))
    yield _product("score·V", f"{score} V_i", (score, "V_i", "Z_i"), (tokens, attended, "H"))
    yield Row(r"\text{Merge}_{-1}([Z_i])", _space("Z_i", tokens, "H"), _space("Z", tokens, widths.queries))
    yield _product("Out", "Z W^O", ("Z", "W^O", out), (tokens, widths.queries, "D"))
    yield _product("FFN up", rf"{out}\, W^1", (out, "W^1", "A"), (tokens, "D", widths.inner))
    yield Row(r"\text{relu}(A)", _space("A", tokens, widths.inner), _space("A'", tokens, widths.inner))
    yield _product("FFN down", "A' W^2", ("A'", "W^2", last), (tokens, widths.inner, "D"))


def _product(name: str, computation: str, spaces: tuple[str, str, str], sizes: tuple[str, str, str]) -> Row:
    (left, right, made), (m, k, n) = spaces, sizes
    return Row(computation, rf"{_space(left, m, k)},\; {_space(right, k, n)}", _space(made, m, n), name, sizes)


def _space(name: str, rows: str, columns: str) -> str:
    return rf"{name}: {rows} \times {columns}"
