"""Exact values as LaTeX: the only place where numbers are rounded and get their units."""

from __future__ import annotations

import re
from fractions import Fraction

import sympy

from generators.cells import Quantity, Rounded, Value
from generators.pipeline.latex import latex
from generators.pipeline.slots import in_tex
from generators.traced import is_traced, untraced

SIGNIFICANT_DIGITS = 6
TOO_LONG = 10**24
"""An exact number from here on is shown rounded only."""
PLAIN_POWERS = (-7, 15)
"""A number is written without an exponent from ten to the first power on and below ten to the second."""
SCALES = {
    "B": ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")),
    "FLOP": ((10**15, "PFLOP"), (10**12, "TFLOP"), (10**9, "GFLOP")),
}
"""Multiples of a unit by size: a number takes the first that is not larger."""
WRITING = {
    "significant": SIGNIFICANT_DIGITS,
    "tooLong": str(TOO_LONG),
    "plainPowers": PLAIN_POWERS,
    "scales": {unit: [[str(size), name] for size, name in scales] for unit, scales in SCALES.items()},
}
"""What `assets/what_if.js` reads to write numbers as this module does."""


def grouped(number: int) -> str:
    """Digits in groups of three, from five digits on."""
    digits = str(abs(number))
    if len(digits) > 4:
        digits = re.sub(r"(?<=\d)(?=(\d{3})+$)", r"\\,", digits)
    return ("-" if number < 0 else "") + digits


def rounded(number: int | Fraction | float, digits: int = 0) -> str:
    """Six significant digits or all before the point, or the decimals of a Rounded; zeros at the end are rounded to.

    A float with other `digits` was rounded to them, and keeps its zeros. From 1e-7 to 1e15 there is no exponent.
    """
    if number == 0:
        return "0"
    kept = digits or SIGNIFICANT_DIGITS
    scientific = f"{float(number):.{kept - 1}e}"
    mantissa, _, exponent = scientific.partition("e")
    measured = isinstance(number, float)
    exact = not (digits and measured) and (float if measured else Fraction)(scientific) == number
    if not _plain(number):
        return rf"{_trimmed(mantissa) if exact else mantissa} \times 10^{{{int(exponent)}}}"
    text = f"{float(number):.{max(0, kept - 1 - int(exponent))}f}"
    if isinstance(number, Rounded):
        text, exact = repr(number), False
    whole, _, decimals = (_trimmed(text) if exact else text).partition(".")
    sign = "-" if number < 0 else ""
    return sign + grouped(abs(int(whole))) + (f".{decimals}" if decimals else "")


def _plain(number: int | Fraction | float) -> bool:
    """Whether the number is written without an exponent."""
    least, most = PLAIN_POWERS
    return float(f"1e{least}") <= abs(float(number)) < float(f"1e{most}")


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def terminates(number: Fraction) -> bool:
    """Whether six significant digits state the number exactly."""
    return Fraction(rounded(number).replace(r"\,", "")) == number if _plain(number) else number == 0


def value(number: Value, unit: str = "", digits: int = 0, *, only_rounded: bool = False, equated: bool = False) -> str:
    r"""A value with its unit as LaTeX: exact, then rounded where that differs, as in \frac{4096}{3} \approx 1365.33.

    `only_rounded` leaves the exact form out where the two differ; `equated` puts = before it, unless it begins with ≈.
    """
    if is_traced(number):
        text = value(untraced(number), unit, digits, only_rounded=only_rounded, equated=equated)
        return in_tex(number, text, "value", unit, digits, only_rounded, equated)
    text = _value(float(number) if only_rounded and _has_exact_form(number, unit) else number, unit, digits)
    return f"= {text}" if equated and not text.startswith(r"\approx") else text


def _has_exact_form(number: Value, unit: str) -> bool:
    """Whether a number stands exact beside rounded; a percentage does not."""
    if isinstance(number, Fraction):
        return unit != "%" and number.denominator != 1
    return unit != "%" and isinstance(number, sympy.Expr) and bool(number.is_number)


def _value(number: Value, unit: str, digits: int) -> str:
    if isinstance(number, float):
        return rounded(number, digits) + (r"\,\%" if unit == "%" else _unit(unit))
    if not isinstance(number, int | Fraction):
        return _constant(number) + _unit(unit)
    if unit == "%":
        return _percent(Fraction(number), digits)
    if _is_long(Fraction(number)):
        return rf"\approx {rounded(number, digits)}{_unit(unit)}"
    exact = _exact(Fraction(number)) + _unit(unit)
    if unit in SCALES:
        return exact + _scaled(Fraction(number), SCALES[unit], digits)
    if r"\frac" in exact:
        return rf"{_exact(Fraction(number))} \approx {rounded(number, digits)}{_unit(unit)}"
    return exact


def _constant(expression: sympy.Expr) -> str:
    """An expression; where it is an irrational number, its rounded value as well."""
    approximation = rf" \approx {rounded(float(expression))}" if expression.is_number and not expression.is_Rational else ""
    return formula(expression) + approximation


def _is_long(number: Fraction) -> bool:
    return max(abs(number.numerator), number.denominator) >= TOO_LONG


def _exact(number: Fraction) -> str:
    """Digits, a decimal where that is exact, or a fraction."""
    if number.denominator != 1 and terminates(number):
        return rounded(number)
    return fraction(number)


def fraction(number: Fraction) -> str:
    """Digits or a fraction."""
    if number.denominator == 1:
        return grouped(number.numerator)
    sign = "-" if number < 0 else ""
    return rf"{sign}\frac{{{grouped(abs(number.numerator))}}}{{{grouped(number.denominator)}}}"


def _unit(unit: str) -> str:
    return rf"\ \text{{{unit}}}" if unit else ""


def _percent(number: Fraction, digits: int) -> str:
    if terminates(number):
        return rf"{rounded(number)}\,\%"
    return rf"\approx {rounded(number, digits)}\,\%"


def _scaled(number: Fraction, scales: tuple[tuple[int, str], ...], digits: int) -> str:
    for scale, name in scales:
        if abs(number) >= scale:
            exact = terminates(number / scale)
            said = f"= {rounded(number / scale)}" if exact else rf"\approx {rounded(number / scale, digits)}"
            return rf" {said}\ \text{{{name}}}"
    return ""


def named(symbol: sympy.Symbol | str) -> str:
    """A quantity's symbol: a letter of formulas as they show it, any other as it was written."""
    return formula(symbol) if isinstance(symbol, sympy.Symbol) else symbol


def formula(expression: sympy.Basic) -> str:
    """A symbolic formula."""
    return _binary_logarithms(_upright(latex(expression)))


def _upright(text: str) -> str:
    """Subscripts that are words stand upright."""
    return re.sub(r"_\{([A-Za-z]{2,})\}", r"_{\\text{\1}}", text)


_RATIO_OF_LOGARITHMS = re.compile(r"\\frac\{\\log\{\\left\(((?:(?!\\log).)*?) \\right\)\}\}\{\\log\{\\left\(2 \\right\)\}\}")


def _binary_logarithms(text: str) -> str:
    """SymPy writes a binary logarithm as a ratio of natural ones."""
    return _RATIO_OF_LOGARITHMS.sub(r"\\log_{2}{\\left(\1 \\right)}", text)


def substituted(line: Quantity) -> str:
    """The step's formula with the numbers in the places of the letters."""
    names = {symbol: _in_product(number) for symbol, number in line.at.items()}
    return latex(line.formula, symbol_names=names, mul_symbol="times")


def _in_product(number: Value) -> str:
    if is_traced(number):
        return f"{{{in_tex(number, _in_product(untraced(number)), 'product')}}}"
    text = _exact(Fraction(number)) if isinstance(number, int | Fraction) else formula(number)
    return rf"\left({text}\right)" if text.startswith("-") or r"\frac" in text else f"{{{text}}}"


def right_sides(line: Quantity, *, numbers: bool = True) -> list[str]:
    """Formula, numbers put in (unless `numbers` is false), and value, each behind its relation."""
    result = value(line.value, line.unit, equated=True)
    if line.formula is None:
        return [result]
    put_in = [f"= {substituted(line)}"] if numbers and line.formula.free_symbols else []
    return [f"= {formula(line.formula)}", *put_in, result]


def equation(line: Quantity, *, numbers: bool = True) -> str:
    """Symbol, formula, numbers put in (unless `numbers` is false), and value, one under the other."""
    body = " \\\\\n".join(f"&{text}" for text in right_sides(line, numbers=numbers))
    return f"\\begin{{aligned}}\n{named(line.symbol)} {body}\n\\end{{aligned}}"
