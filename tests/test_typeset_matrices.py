"""Tensors, matrix expressions and their names as LaTeX."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy
from sympy import HadamardProduct, MatAdd, MatMul, MatrixSymbol, OneMatrix, Transpose

from generators.cells import Quantity
from generators.matrices import Diagonal, TimeSum, entry, gradient, vector
from generators.pipeline.latex import latex
from generators.pipeline.typeset_matrices import inline_tensor, shape, space, statement, tensor

d = sympy.Symbol("d", integer=True, positive=True)
i, j = sympy.symbols("i j", integer=True)
U = MatrixSymbol(r"\mathbf{U}^{(f)}", d, d)
W = MatrixSymbol(r"\mathbf{W}", d, d)
h = MatrixSymbol(vector("h", "t", "f"), d, 1)
G = MatrixSymbol(gradient("L", vector("h", "t", "f")), d, 1)
H = r"\mathbf{h}_{t}^{(f)}"


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (MatAdd(h, MatMul(-1, G)), rf"{H} - \nabla_{{{H}}} L"),  # in the order written
        (Transpose(U), r"\mathbf{U}^{(f)\top}"),
        (Transpose(W), r"\mathbf{W}^{\top}"),
        (Transpose(MatAdd(U, W)), r"\left(\mathbf{U}^{(f)} + \mathbf{W}\right)^{\top}"),
        (MatMul(G, Transpose(h)), rf"\left(\nabla_{{{H}}} L\right) \mathbf{{h}}_{{t}}^{{(f)\top}}"),  # L is no factor
        (MatMul(U, G), rf"\mathbf{{U}}^{{(f)}} \nabla_{{{H}}} L"),
        (Diagonal(MatAdd(OneMatrix(d, 1), h)), rf"\operatorname{{diag}}\left(\mathbf{{1}} + {H}\right)"),
        (HadamardProduct(h, G), rf"{H} \odot \nabla_{{{H}}} L"),
        (U[i, j], "U_{i j}^{(f)}"),
        (1 - h[i, 0] ** 2, r"1 - \left(h_{t,i}^{(f)}\right)^{2}"),
        (G[i, 0], rf"\left(\nabla_{{{H}}} L\right)_{{i}}"),
        (TimeSum(MatMul(U, h)), rf"\sum_{{t=1}}^{{T}} \mathbf{{U}}^{{(f)}} {H}"),
    ],
)
def test_matrix_expressions(expression: sympy.Basic, text: str) -> None:
    """As they are written by hand."""
    assert latex(expression) == text


def test_sums() -> None:
    """A positive term comes first, and two sums stand one after the other."""
    a, b, N = sympy.symbols("a b N")
    x = sympy.IndexedBase("x")
    assert latex(b - a) == "b - a"
    assert latex(-a - b) == "- a - b"
    assert latex(sympy.Sum(x[i, j], (j, 1, N), (i, 1, 3))) == r"\sum_{i=1}^{3} \sum_{j=1}^{N} {x}_{i,j}"


def test_entries_of_names() -> None:
    """A vector's entry loses the bold face; what is no plain name gets brackets."""
    assert entry(r"\mathbf{h}_{t+1}^{(b)}", "i") == "h_{t+1,i}^{(b)}"
    assert entry(r"\frac{a}{b}", "i j") == r"\left(\frac{a}{b}\right)_{i j}"


def test_statements_and_shapes() -> None:
    """Shapes come from the expression; an entry is a scalar."""
    assert statement(Quantity(address="1/a", symbol="a", value=MatMul(U, h))) == rf"a = \mathbf{{U}}^{{(f)}} {H}"
    assert shape(MatMul(U, h)) == r"d \times 1"
    assert space(Diagonal(h)) == r"\mathbb{R}^{d \times d}"
    assert shape(TimeSum(MatMul(G, Transpose(h)))) == r"d \times d"
    assert (shape(U[i, j]), space(U[i, j])) == (r"\text{scalar}", r"\mathbb{R}")


def matrix(text: str) -> list[list[Fraction]]:
    return [[Fraction(number) for number in row.split()] for row in text.split(";")]


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ("1 2; 3 4", r"x = \begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}"),
        ("1/2 2", r"x = \begin{bmatrix} \frac{1}{2} & 2 \end{bmatrix} = \begin{bmatrix} 0.5 & 2 \end{bmatrix}"),
        ("1/3", r"x = \begin{bmatrix} \frac{1}{3} \end{bmatrix} \approx \begin{bmatrix} 0.333333 \end{bmatrix}"),
    ],
)
def test_tensors(rows: str, text: str) -> None:
    """Whole numbers once, others exact and rounded, with = where that is exact too."""
    assert tensor("x", matrix(rows)) == text


def test_wide_tensors() -> None:
    """Exact and rounded numbers go on two lines, and what would not fit even so is rounded only."""
    wide = " ".join(["123456789/70000"] * 5)
    assert tensor("x", matrix(wide)).startswith("\\begin{aligned}\nx &= ")
    assert tensor("x", matrix(wide), also_rounded=False).startswith("x = ")
    assert tensor("x", matrix(f"{wide} {wide}")).startswith(r"x \approx \begin{bmatrix} 1763.67")


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ("1/2 2", r"x = \begin{bmatrix} 0.5 & 2 \end{bmatrix}"),
        ("1/3; 1", r"x \approx (0.333333, 1)^\top"),
        ("5", r"x = \begin{bmatrix} 5 \end{bmatrix}"),
    ],
)
def test_tensors_within_a_sentence(rows: str, text: str) -> None:
    """Rounded once; a column of several numbers lies on its side."""
    assert inline_tensor("x", matrix(rows)) == text
