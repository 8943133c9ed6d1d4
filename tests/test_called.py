"""What a reader calls what is asked for."""

from __future__ import annotations

from fractions import Fraction

from generators.answer import answer, number, part
from generators.cells import Math
from generators.pipeline.called import names
from generators.table import Table, column, table


def called(*items: Table) -> dict[str, str]:
    return names(answer(part("1.1", "Sizes", *items)).parts["1.1"])


def test_a_value_is_called_what_it_is() -> None:
    """Else its key in words."""
    own = part("1.1", "Sizes", number("of_a", 2, "size of A", asked=True), number("of_b", 3, asked=True), number("c", 4))
    assert names(own) == {"1.1/of_a": "size of A", "1.1/of_b": "of b"}


def test_a_cell_is_called_by_row_and_column() -> None:
    """A row by what it begins with, with the next columns where the first alone does not tell rows apart."""
    columns = [column("model"), column("method"), column("share")]
    rows = {"one": ["7B", "LoRA", 1], "two": ["7B", "BitFit", 2], "three": ["13B", "LoRA", 3]}
    found = called(table("shares", columns, rows, asked=True))
    assert found["1.1/shares"] == "shares"
    assert [found[f"1.1/shares/{row}/share"] for row in rows] == ["7B, LoRA: Share", "7B, BitFit: Share", "13B, LoRA: Share"]


def test_numbers_stand_with_their_heading_and_notation_by_its_key() -> None:
    """Of two tables each says which it is."""
    numbered = table("form", [column("no", "No."), column("bytes")], {"a": [1, 8], "b": [2, 16]}, asked=True)
    notation = table("terms", [column("term"), column("bytes")], {"q_k": [Math("QK"), 8], "p_v": [Math("PV"), 16]}, asked=True)
    found = called(numbered, notation)
    assert found["1.1/form/b/bytes"] == "form, No. 2: Bytes"
    assert found["1.1/terms/q_k/bytes"] == "terms, q k: Bytes"
    shares = table("shares", ["share", "bytes"], {"a": [Fraction(1, 2), 8], "b": [Fraction(-1, 3), 16]}, asked=True)
    drawn = table("tree", ["share", "bytes"], {"a": [1, 8]}, asked=True, drawn=True)
    found = called(shares, drawn)  # what only pictures show needs no other name
    assert [found[f"1.1/shares/{row}/bytes"] for row in "ab"] == ["Share 1/2: Bytes", "Share -1/3: Bytes"]


def test_an_entry_of_an_array_is_called_by_its_places() -> None:
    """An axis with one place for all is left out, and a column that only says what a row is."""
    mean = table("mean", ["channel_1", "channel_2"], {"sample_all": [1, 2]}, asked=True)
    output = table("output", ["component"], {"component_1": [1], "component_2": [2]}, asked=True)
    found = called(mean, output)
    assert found["1.1/mean/sample_all/channel_2"] == "mean, channel 2"
    assert found["1.1/output/component_2/component"] == "output, component 2"
