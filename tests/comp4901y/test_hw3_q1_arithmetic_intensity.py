"""Arithmetic intensity: values derived by hand, other sizes, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product
from math import log
from pathlib import Path
from typing import Any, Literal

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.answer import Answer
from generators.cells import Cell
from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.roofline_chart import LINE_SHARE, grouped, joined
from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.solve import DECODE, PREFILL, D, H, L, solve
from generators.errors import ParameterError
from generators.pipeline.catalog import entries, find, load_params, load_question
from generators.pipeline.match import Findings, problems
from generators.pipeline.recorded import fitting
from generators.pipeline.unit import compose
from generators.recording import Recording, Series, save
from tests.conftest import worked_out

SLUG = "hw3_q1_arithmetic_intensity"
PREFIX = f"comp4901y/{SLUG}"
MESSAGE = f"generators/courses/comp4901y/params.yml: {SLUG}: "


def answered(**changes: Any) -> Answer:
    """The answer to the entry of params.yml with some fields changed."""
    question_id = find(PREFIX)
    question = load_question(question_id)
    answer: Answer = question.solve(load_params(question_id, question, {**entries()[question_id], **changes}))
    return answer


def intensities(answer: Answer, label: str) -> dict[str, Fraction]:
    """The filled cells of a form by the sheet's row number."""
    cells = answer[f"{label}/form"]["intensity"].cells
    return {row: Fraction(cell) for row, cell in cells.items() if isinstance(cell, int | Fraction)}


def test_prefill_form() -> None:
    """The sheet's eight rows at L = D = 4096 and H = 128."""
    projection = Fraction(4096, 3)  # 2·4096³ / (2·(4096² + 4096² + 4096²))
    attention = Fraction(2048, 17)  # 2·4096²·128 / (2·(2·4096·128 + 4096²)) = 4096·128 / (2·128 + 4096)
    network = Fraction(16384, 9)  # 2·4·4096³ / (2·(4096² + 4·4096² + 4·4096²))
    assert intensities(worked_out(PREFIX)[2], "1.1") == {
        "1": projection, "2": projection, "3": projection, "7": attention, "8": attention,
        "10": projection, "11": network, "13": network,
    }  # fmt: skip


def test_decode_form() -> None:
    """The sheet's eight rows for one token that meets 4096 cached ones."""
    projection = Fraction(2048, 2049)  # 2·4096² / (2·(4096 + 4096² + 4096)) = 4096 / 4098
    attention = Fraction(524416, 528641)  # 2·128·4097 / (2·(128 + 128·4097 + 4097))
    network = Fraction(16384, 16389)  # 2·4·4096² / (2·(4096 + 4·4096² + 4·4096)) = 4·4096 / (4·4096 + 5)
    assert intensities(worked_out(PREFIX)[2], "1.2") == {
        "1": projection, "2": projection, "4": projection, "9": attention, "10": attention,
        "12": projection, "13": network, "15": network,
    }  # fmt: skip


def test_forms_have_every_row_of_the_sheet() -> None:
    """Rows the sheet marks with a dash are present and empty."""
    answer = worked_out(PREFIX)[2]
    for label, count in (("1.1", 13), ("1.2", 15)):
        form = answer[f"{label}/form"]
        assert list(form.rows) == [str(number) for number in range(1, count + 1)]
        empty = [cells for cells in form.rows.values() if cells["intensity"] is None]
        assert len(empty) == count - 8
        assert all(cells["formula"] is None for cells in empty)


def test_formulas() -> None:
    """Intensities as formulas, reduced by hand."""
    answer = worked_out(PREFIX)[2]
    expected = {
        ("1.1", 1): L * D / (2 * L + D),  # 2LD² / (2(2LD + D²))
        ("1.1", 7): L * H / (2 * H + L),  # 2L²H / (2(2LH + L²))
        ("1.1", 11): 4 * L * D / (5 * L + 4 * D),  # 8LD² / (2(LD + 4D² + 4LD))
        ("1.2", 1): D / (D + 2),  # 2D² / (2(2D + D²))
        ("1.2", 9): H * (L + 1) / (H + (H + 1) * (L + 1)),  # 2H(L+1) / (2(H + H(L+1) + (L+1)))
        ("1.2", 15): 4 * D / (4 * D + 5),  # 8D² / (2(4D + 4D² + D))
    }
    for (label, row), formula in expected.items():
        assert sympy.simplify(answer[f"{label}/form/{row}/intensity"].formula - formula) == 0


def test_working() -> None:
    """FLOPs and bytes of the prefill's products."""
    products = worked_out(PREFIX)[2]["1.1/products"].rows
    assert products["projection"]["flops"] == 137_438_953_472  # 2·4096³ = 2³⁷
    assert products["projection"]["bytes"] == 100_663_296  # 2·3·4096²
    assert products["score"]["flops"] == 4_294_967_296  # 2·4096²·128 = 2³²
    assert products["score"]["bytes"] == 35_651_584  # 2·(2·4096·128 + 4096²)
    assert products["up"]["flops"] == 549_755_813_888  # 2·4096·4096·4·4096 = 2³⁹
    assert products["up"]["bytes"] == 301_989_888  # 2·9·4096²


def test_small_layer() -> None:
    """One token, width 6, two heads of width 3."""
    answer = answered(seq_len=1, d_model=6, n_heads=2)
    prefill, decode = intensities(answer, "1.1"), intensities(answer, "1.2")
    assert prefill["1"] == Fraction(3, 4)  # 2·1·36 / (2·(6 + 36 + 6))
    assert prefill["7"] == Fraction(3, 7)  # 2·1·3·1 / (2·(3 + 3 + 1))
    assert prefill["11"] == Fraction(24, 29)  # 2·6·24 / (2·(6 + 144 + 24))
    assert decode["9"] == Fraction(6, 11)  # 2·3·2 / (2·(3 + 6 + 2))
    assert decode["1"] == prefill["1"]  # with one token both phases project one row


def test_conventions_scale_the_numbers() -> None:
    """One FLOP a multiply-add halves the intensity, eight bytes a value quarter it."""
    base = intensities(worked_out(PREFIX)[2], "1.1")
    single = intensities(answered(conventions={"flops_per_multiply_add": 1}), "1.1")
    double = intensities(answered(conventions={"bytes_per_element": 8}), "1.1")
    assert single == {row: value / 2 for row, value in base.items()}
    assert double == {row: value / 4 for row, value in base.items()}


def test_ridge_points() -> None:
    """Peak FLOP/s over bytes per second, exact although the parameters are decimals."""
    ridges = worked_out(PREFIX)[2]["roofline/accelerators"]["ridge"].cells
    assert ridges["accelerator_1"] == Fraction(312_000, 2039)  # 312e12 / 2039e9
    assert ridges["accelerator_2"] == Fraction(19_788, 67)  # 989.4e12 / 3350e9
    assert ridges["accelerator_3"] == Fraction(1649, 8)  # 989.4e12 / 4800e9


def test_share_of_peak() -> None:
    """An intensity over the ridge, at most one."""
    shares = {row: tuple(cells.values())[2:] for row, cells in worked_out(PREFIX)[2]["roofline/share_of_peak"].rows.items()}
    assert shares["prefill.projection"] == (100, 100, 100)  # 1365.3 is right of every ridge
    assert shares["prefill.score"] == (
        100 * Fraction(2048, 17) / Fraction(312_000, 2039),
        100 * Fraction(2048, 17) / Fraction(19_788, 67),
        100 * Fraction(2048, 17) / Fraction(1649, 8),
    )


def bounds(answer: Answer) -> list[tuple[Cell, ...]]:
    """Which rows of the forms are bound by what, an accelerator or several a row."""
    return [tuple(cells.values()) for cells in answer["roofline/bounds"].rows.values()]


def test_accelerators_that_agree_share_a_row() -> None:
    """All three leave the prefill's attention and the whole decode to memory."""
    assert bounds(worked_out(PREFIX)[2]) == [
        (
            "A100 80GB SXM, H100 SXM and H200 SXM",
            "rows 1, 2, 3, 10, 11 and 13",  # 1365.3 and 1820.4 exceed 295.3, the highest ridge
            "rows 7 and 8",  # 120.5 is below 153.0, the lowest
            "no row",
            "rows 1, 2, 4, 9, 10, 12, 13 and 15",
        ),
    ]


def test_a_product_on_the_ridge_is_compute_bound() -> None:
    """At equality arithmetic and memory take as long, and the share of peak is one."""
    accelerator = {"name": "ours", "peak_tflops": "3/4", "bandwidth_gb_per_s": 1000, "source": "none"}
    answer = answered(seq_len=1, d_model=6, n_heads=2, accelerators=[accelerator])  # projections: 3/4 FLOP/B
    assert bounds(answer)[0][1] == "rows 1, 2, 3, 10, 11 and 13"


@settings(max_examples=30, deadline=None)
@given(seq_len=st.integers(1, 5), n_heads=st.integers(1, 3), head=st.integers(1, 3))
def test_counts_equal_their_definition(seq_len: int, n_heads: int, head: int) -> None:
    """FLOPs are two for each triple of indices; bytes two for each distinct element of the three matrices."""
    params = worked_out(PREFIX)[1].model_copy(update={"seq_len": seq_len, "n_heads": n_heads, "d_model": n_heads * head})
    answer = solve(params)  # type: ignore[arg-type]
    for label, phase in (("1.1", PREFILL), ("1.2", DECODE)):
        for name, one in phase.items():
            m, k, n = (int(size.subs({L: seq_len, D: n_heads * head, H: head})) for size in (one.m, one.k, one.n))
            products = answer[f"{label}/products"].rows[name]
            triples = list(product(range(m), range(k), range(n)))
            elements = {("left", i, j) for i, j, _ in triples} | {("right", j, h) for _, j, h in triples}
            elements |= {("out", i, h) for i, _, h in triples}
            assert products["flops"] == 2 * len(triples)
            assert products["bytes"] == 2 * len(elements)
            assert Fraction(products["flops"], products["bytes"]) == Fraction(len(triples), len(elements))


ACCELERATOR = {"name": "one", "peak_tflops": 1, "bandwidth_gb_per_s": 1, "source": "datasheet"}


SHOWN = "must be one line of characters that pictures and PDFs can show"


@pytest.mark.parametrize(
    "changes",
    [
        *({"seq_len": seq_len} for seq_len in (1, 2, 16, 131072, 10**9)),
        {"d_model": 32},
        {"d_model": 10**9, "n_heads": 1},
        {"seq_len": 1, "d_model": 1, "n_heads": 1},
        {"seq_len": 2, "d_model": 8, "n_heads": 2},
    ],
    ids=str,
)
def test_the_roofline_is_drawn_at_any_sizes(changes: dict[str, Any]) -> None:
    """Its labels leave room for the plot: matplotlib would warn, and a warning is an error."""
    question_id = find(PREFIX)
    drawn = compose(question_id, {**entries()[question_id], **changes})["figures"]
    assert "roofline" in drawn
    assert "measured_cuda" not in drawn  # it was timed at the page's own sizes


@given(st.lists(st.floats(0.1, 1e4), min_size=10, max_size=10))
def test_labels_of_products_do_not_touch(intensities: list[float]) -> None:
    """Between a guide and the next group's first one there is room for that group's lines; no product is left out."""
    products = [(f"{phase}: {n}", x) for (phase, n), x in zip(product(("prefill", "decode"), range(5)), intensities, strict=True)]
    span = 12.0
    groups = grouped(products, span)
    assert sorted(one for group in groups for one in group) == sorted(products)
    for left, right in pairwise(groups):
        lines = joined([name for name, _ in right]).splitlines()
        assert len(lines) * LINE_SHARE <= log(right[0][1] / left[-1][1]) / span
        assert max(map(len, lines)) < 30


def test_a_label_has_a_line_for_each_phase() -> None:
    """More than two products of one phase are counted."""
    assert joined(["prefill: a", "decode: b", "prefill: c"]) == "prefill: a, c\ndecode: b"
    assert joined(["decode: a", "decode: b", "decode: c"]) == "decode: 3 products"


def with_one(**changes: Any) -> dict[str, Any]:
    """A list of one accelerator with some fields changed."""
    return {"accelerators": [{**ACCELERATOR, **changes}]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seq_len": 0}, "seq_len: must be greater than 0 (got 0)"),
        ({"seq_len": -1}, "seq_len: must be greater than 0 (got -1)"),
        ({"seq_len": 4096.0}, "seq_len: must be a valid integer (got 4096.0)"),
        ({"seq_len": "4096"}, "seq_len: must be a valid integer (got '4096')"),
        ({"seq_len": True}, "seq_len: must be a valid integer (got True)"),
        ({"seq_len": None}, "seq_len: must be a valid integer (got None)"),
        ({"n_heads": 0}, "n_heads: must be greater than 0 (got 0)"),
        ({"d_model": -8}, "d_model: must be greater than 0 (got -8)"),
        ({"n_heads": 3}, "d_model: must be divisible by n_heads (got 4096 and 3)"),
        ({"accelerators": {**ACCELERATOR}}, "accelerators: must be a valid list (got {"),
        ({"accelerators": []}, "accelerators: list should have at least 1 item after validation, not 0 (got [])"),
        (
            {"accelerators": [{**ACCELERATOR, "name": str(i)} for i in range(5)]},
            "accelerators: list should have at most 4 items after validation, not 5 (got [",
        ),
        ({"accelerators": [ACCELERATOR, ACCELERATOR]}, "accelerators: each name must stand once (got 'one' twice)"),
        (with_one(name=""), "accelerators.0.name: string should have at least 1 character (got '')"),
        (with_one(name=100), "accelerators.0.name: must be a valid string (got 100)"),
        (with_one(name="a\nb"), f"accelerators.0.name: {SHOWN}, unlike U+000A (got 'a\\nb')"),
        (with_one(name="🙂"), f"accelerators.0.name: {SHOWN}, unlike U+1F642 (got '🙂')"),
        (with_one(source="\u202eabc"), f"accelerators.0.source: {SHOWN}, unlike U+202E (got '\\u202eabc')"),
        (with_one(name="a" * 201), "accelerators.0.name: string should have at most 200 characters"),
        (with_one(peak_tflops=0), "accelerators.0.peak_tflops: must be greater than 0 (got 0)"),
        (with_one(peak_tflops="fast"), "accelerators.0.peak_tflops: must be a finite number (got 'fast')"),
        (with_one(peak_tflops=float("nan")), "accelerators.0.peak_tflops: must be a finite number (got nan)"),
        (with_one(peak_tflops=[1]), "accelerators.0.peak_tflops: must be a number (got [1])"),
        (with_one(bandwidth_gb_per_s=-2.5), "accelerators.0.bandwidth_gb_per_s: must be greater than 0 (got -2.5)"),
        (with_one(speed=1), "accelerators.0.speed: is not a known key (got 1)"),
        ({"accelerators": [{"name": "one"}]}, "accelerators.0.peak_tflops: is required, but missing (and 2 more)"),
        ({"conventions": {"flops_per_multiply_add": 3}}, "conventions.flops_per_multiply_add: must be 1 or 2 (got 3)"),
        ({"conventions": {"bytes_per_element": 1}}, "conventions.bytes_per_element: must be 2, 4 or 8 (got 1)"),
        ({"conventions": {"bytes": 2}}, "conventions.bytes: is not a known key (got 2)"),
        ({"widths": 2}, "widths: is not a known key (got 2)"),
    ],
)  # fmt: skip
def test_a_bad_parameter_is_refused_in_one_line(changes: dict[str, Any], message: str) -> None:
    """File, entry, field, rule and value stand on one line."""
    with pytest.raises(ParameterError) as refusal:
        answered(**changes)
    assert str(refusal.value).startswith(MESSAGE + message)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("field", ["seq_len", "d_model", "n_heads", "accelerators"])
def test_a_missing_key_is_named(field: str) -> None:
    """Nothing but the conventions has a default."""
    question_id = find(PREFIX)
    entry = {name: value for name, value in entries()[question_id].items() if name != field}
    with pytest.raises(ParameterError) as refusal:
        load_params(question_id, load_question(question_id), entry)
    assert str(refusal.value) == f"{MESSAGE}{field}: is required, but missing"


def products_recording(kind: Literal["cpu", "cuda"], seq_len: int) -> Recording:
    """Every product of a layer of width 8 with 2 heads in 1 ms; copies 1 GB in 1 s, multiplies 1 GFLOP in 1 s."""

    def series(**at: Any) -> Series:
        return Series(quantity="seconds", unit="s", at=at, samples=(0.001,) if "product" in at else (1.0,))

    def shapes(rows: int, columns: int) -> list[tuple[int, int, int, int]]:
        return [(1, rows, 8, 8), (2, rows, 4, columns), (2, rows, columns, 4), (1, rows, 8, 32), (1, rows, 32, 8)]

    timed = [
        series(phase=phase, product=name, batch=b, m=m, k=k, n=n)
        for phase, sizes in (("prefill", shapes(seq_len, seq_len)), ("decode", shapes(1, seq_len + 1)))
        for name, (b, m, k, n) in zip(("projection", "score", "weighting", "up", "down"), sizes, strict=True)
    ]
    return Recording(
        what="hw3_q1_products",
        parameters={"seq_len": seq_len, "d_model": 8, "n_heads": 2, "dtype": "float16"}, command="make it", device=kind.upper(),
        device_kind=kind, driver=None, versions={"torch": "2"}, date="2026-01-01T00:00:00+00:00", models={},
        series=(series(ceiling="copy", bytes=10**9), series(ceiling="matrix product", flops=10**9), *timed),
    )  # fmt: skip


def test_timed_products_of_two_devices() -> None:
    """A GPU's are shown at the page's sizes only, a processor's at its own; each beside its own roofline."""
    question_id = find(PREFIX)
    question = load_question(question_id)
    entry = {**entries()[question_id], "seq_len": 4, "d_model": 8, "n_heads": 2}
    params: Any = load_params(question_id, question, entry, recorded=False)
    params._measured = {
        "cuda": {"hw3_q1_products": products_recording("cuda", 4)},
        "cpu": {"hw3_q1_products": products_recording("cpu", 2)},
    }
    answer = question.solve(params)
    # a projection of 2 tokens: 2·2·8·8 = 256 FLOP, 2·(16 + 64 + 16) = 192 B; 1 GB/s carries 4/3 GFLOP/s, above the rate of 1
    timed = answer["measured_cpu/products"].row("prefill.projection")
    assert timed["product"].value == "prefill: projections"
    assert [float(timed[key]) for key in ("intensity", "median")] == pytest.approx([4 / 3, 1000])
    assert [float(timed[key]) for key in ("rate", "roofline", "share")] == pytest.approx([256e-9, 1e-3, 0.0256])
    assert [answer[f"measured_cuda/{key}"].value for key in ("seq_len", "d_model", "n_heads")] == [4, 8, 2]
    assert problems(answer, Findings.gathered(question.find(params))) == []


def test_recordings_that_fit(tmp_path: Path) -> None:
    """A GPU's recording is shown at the page's sizes only, a processor's at its own."""
    for kind in ("cuda", "cpu"):
        save(products_recording(kind, 2), tmp_path / f"hw3_q1_products.{kind}.json")
    names = load_question(find(PREFIX)).recordings
    sizes = {"seq_len": 2, "d_model": 8, "n_heads": 2}
    assert set(fitting(tmp_path, names, sizes)) == {"cuda", "cpu"}
    assert set(fitting(tmp_path, names, {**sizes, "seq_len": 4})) == {"cpu"}
