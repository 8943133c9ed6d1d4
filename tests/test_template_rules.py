"""What templates may not do, each with a wrong build that it would let through."""

from __future__ import annotations

import pytest

from tests.template_rules import problems


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('{{ answer["1/a"] / answer["1/b"] }}', "arithmetic"),  # a wrong denominator would be published
        ('{% if answer["1/a"] > answer["1/b"] %}more{% endif %}', "a comparison"),
        ('{% if not answer["1/a"] %}less{% endif %}', "`not`"),
        ('{% if answer["1/a"] %}more{% else %}less{% endif %}', "`else`"),
        ('{{ "more" if answer["1/a"] else "less" }}', "`else`"),
        ("{{ answer.parts[0] }}", "a subscript that is no key"),
        ('{{ answer["1/a"] | round }}', "filter round"),
        ('{{ answer["1/t"] | length }}', "filter length"),
        ('{% for row in answer["1/t"] if row["x"] %}x{% endfor %}', "a loop with a condition"),
        ("{{ range(3) }}", "a call of range"),
        ("The model takes 7 GiB.", "digits in running text: 'The model takes 7 GiB.'"),
        ('{{ answer["1/a"] | counted("7 GiB") }}', "digits in running text"),
        ('{{ see("course/slug1", "the 3 heads") }}', "digits in running text"),
        ("It costs $2LD$ steps.", "digits in running text"),
        ('{{ answer["1/a"] and "more" or "less" }}', "`or`"),
        ("Then\n$$\nF = LD\n$$\nfollows.", "a relation written by hand"),
        ("It costs $F = LD$ steps.", "a relation written by hand: $F = LD$"),
        ("It costs $L \\times D$ steps.", "a relation written by hand"),
        ("It costs $\\frac{L}{D}$ steps.", "a relation written by hand"),
    ],
)
def test_a_template_that_computes_or_chooses_is_refused(source: str, said: str) -> None:
    """Each of these could say something that nothing finds again."""
    assert any(said in one for one in problems(source)), problems(source)


@pytest.mark.parametrize(
    "source",
    [
        '{{ answer["1.1/a"] | value }} of $L$ and $W^Q$, $\\mathbf{h}_{t}$',
        '{% if answer["1.1/memory_bound"] %}waits{% endif %}',
        '{% if medium == "site" %}here{% endif %}',
        '{% for part in answer.starting("measured_") %}{{ part["device"] }}{{ figure(part.label) }}{% endfor %}',
        '{% for row in answer["1.1/t"] %}{{ row["x"] | counted("token") }}{% endfor %}',
        '{{ definition("F = 2LD") }}',
        "{#- Context. Digits: row 9; 1.1. -#}Part 1.1 leaves out row 9.",
        '{{ answer["1.1/t"] | table(widths=[10, 20], columns=["x"]) }}',
    ],
)
def test_a_template_that_shows_data_is_allowed(source: str) -> None:
    assert problems(source) == []


def test_listed_digits_allow_nothing_else() -> None:
    """The list names what may stand there, not any digit."""
    assert problems("{#- Digits: row 9. -#}Row 10, not row 9.") == ["line 1: digits in running text: 'Row 10, not .'"]
