"""What a page says of a number that a reader types below a box."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page

from tests.browsing import needs_chromium
from tests.project import Project

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def page(built: Project, browser: Browser) -> Iterator[Page]:
    """Homework 3, question 1, opened from its file."""
    opened = browser.new_page()
    opened.goto(f"{built.path('site').as_uri()}/answers/comp4901y/hw3/question1.html")
    yield opened
    opened.close()


def of_box(page: Page, box: int = 0) -> Locator:
    """What opens in a box, the first unless said otherwise."""
    details = page.locator("details.compare").nth(box)
    if details.get_attribute("open") is None:
        details.get_by_text("Why is my number different?").click()
    return details


ROUNDED, FEW = "The same, rounded.", "The same to the digits given."
AS_WRITTEN = "Write it in digits, as 12.5, 4/3 or 1.2e9, or as a formula in"
HW4_1 = "comp4901y/hw4/question1"
AT = "this is"
IT_IS_HALF = "It is 1/2 of the answer"
UNWORKABLE = "This cannot be worked out: it is too long, divides by 0 or has a power that is no whole number."
TOO_FEW = "The one digit fits. More digits would tell more."
APART, NONE = "Less than 1 % away, but not the same.", "none of the slips"
UNREAD = "This is not read as a number in FLOP/B."


@pytest.mark.parametrize(("number", "result"), [
    # The first product's intensity is 4096/3.
    ("4096/3", "The same."), ("8192/6", "The same."), (" 4 096 / 3 ", "The same."),
    ("1365.33", ROUNDED), ("1,365.33", ROUNDED), ("1365,33", ROUNDED), ("1.37e3", ROUNDED), ("1.37E+3", ROUNDED),
    ("1.365×10^3", ROUNDED),
    ("1365.33 FLOP/B", ROUNDED),
    ("1366.0", APART), ("1365.3", ROUNDED), ("1365.4", APART), ("1300", NONE), ("1e3", TOO_FEW), ("1.4e3", FEW), ("0", NONE),
    ("1365.4 * 1", f"This is 1365.4 FLOP/B. {ROUNDED}"),  # what has four digits or more may have been rounded
    # Zeros at the end may be rounded, and digits may be cut off; of a number without letters six digits are compared.
    ("1370", ROUNDED), ("1400", NONE), ("1365.33333", ROUNDED), ("1365.3339", APART), ("682.666", "with 4 bytes for a value"),
    ("1.36e3", "The same, cut off."),
    ("910.22", "This is 2/3 of the answer. None of the slips that this page knows gives that."), ("0.5 - 0.127", NONE),
    ("682.67", "This is the number with 4 bytes for a value, or with one FLOP for a multiply-add."),
    ("\u22121365.33", "This is the number with the other sign."),
    # An eighth for bits; half of that for one FLOP in place of two, or half and an eighth for 4 bytes in place of 2.
    ("170.67", "This is the number of FLOPs for each bit."),
    ("85.333", "This is the number of FLOPs for each bit and with 4 bytes for a value, or of FLOPs for each bit and with"),
    # 2 L D^2 / (2 (2 L D)) / 2 is 1024.
    ("1024", "without the bytes of the result matrix and with 4 bytes for a value."),
    ("1820.4", "This is the number of “No. 11: Arithmetic intensity”, or of “No. 13: Arithmetic intensity”."),
    # 2 D^2 / (2 (2 D + D^2)) at D = 4096 is 4096/4098 = 2048/2049.
    ("2048/2049", "This is the number of “No. 1: Arithmetic intensity” in 1.2, or of “No. 2: Arithmetic intensity” in 1.2"),
    ("", ""), ("many", UNREAD), ("1/0", UNWORKABLE), ("1.2.3", UNREAD), ("1365.33 GB", UNREAD), ("1e9999", UNREAD),
    ("1365.33 FLOPs/byte", ROUNDED), ("5constructor", UNREAD), ("2 3", UNREAD), ("2*", UNREAD), ("(2", UNREAD),
    ("12 %", UNREAD), ("2^(1/2)", UNWORKABLE),
    # With L = D = 4096 the intensity is 2 L D^2 / (2 (2 L D + D^2)) = L D / (2 L + D); 4096/3 = 1365 1/3.
    ("LD/(2L + D)", f"{AT} about 1365.33 FLOP/B. The same."),
    ("2**12 D / (3 × 4,096)", f"{AT} about 1365.33 FLOP/B. The same."),
    ("1365 1/3", "This is about 1365.33 FLOP/B. The same."), ("-(-4096)/3", "This is about 1365.33 FLOP/B. The same."),
    ("3·1024 FLOPs/byte", "This is 3072 FLOP/B. Another number"),
    # 2 · 4096^3 FLOPs are 2^37 = 137 438 953 472; the first rows of the form share them.
    ("137438953472", "This is the number of “products, Rows 1, 2, 3, 10: FLOPs”."),
    ("0,682", NONE), ("1,365", ROUNDED),  # a comma before decimals, and between thousands
])  # fmt: skip
def test_a_typed_number(page: Page, number: str, result: str) -> None:
    details = of_box(page)
    details.get_by_label("Your number").fill(number)
    shown = details.get_by_role("status").inner_text()
    assert shown == result or (result and result in shown)


@pytest.mark.parametrize(("path", "box", "number", "result"), [
    # 2 (32 * 12 D^2 + D * 32000) = 13 147 045 888 B, without the output head 12 884 901 888; a token's cache has 2^19 B.
    ("utaustin/lecture25/batching", 0, "13 GB", "The same to the digits given."),
    ("utaustin/lecture25/batching", 0, "12.885e9", "This is the number without D N_vocab."),
    ("utaustin/lecture25/batching", 0, "13 TB", "The same digits, but 1000 times larger."),
    ("sydney/seminar2/kv_cache", 2, "256 KiB", "This is the number of keys alone, or of values, not of bytes."),
    (HW4_1, 0, "25 %", f"This is not read as a number in B. {AS_WRITTEN} N_layer, N_top, D, R, B, L."),
    # 12 D^2 values are tuned in each of the top layers, 2 bytes each; B is a letter there, and bytes are a unit.
    (HW4_1, 0, "24 D² N_top B", f"{AT} 1\u202f610\u202f612\u202f736 B. The same."),
    (HW4_1, 0, "12 D² N_top bytes", f"{AT} 805\u202f306\u202f368 B. {IT_IS_HALF}: the number of values, not of bytes."),
    (HW4_1, 0, "1.61 GB", "The same, rounded."),
    # 3 D^2 N_layer is 3 · 32 = 96 = 24 · 4 squares of D, too: the answer times N_layer / (8 N_top). Full tuning has all layers.
    (HW4_1, 0, "3 D^2 N_layer", "The same with these numbers only; with others it is the answer times N_layer / (8 N_top)."),
    (HW4_1, 0, "24 d^2 N_{layer}", "It is the answer times N_layer / N_top."),
    # A fourth of the answer is one of four layers, but for other numbers it is not.
    (HW4_1, 0, "6 D^2 N_top", "It is 1/4 of the answer."),
    (HW4_1, 0, "24 D^2 (N_layer - N_top)", "It is another formula."), (HW4_1, 0, "12.9 GB", "of N_layer layers, not of N_top."),
    # 1 610 612 736 B are 1.5 · 2^30 B; the answer is asked for in bytes.
    (HW4_1, 0, "1.5", "With the unit GiB it is the same. Without one it is read in B."),
    # An exact number is compared as it is; what is copied with four digits or more may be rounded.
    ("comp4901y/hw3/question2", 0, "0.5*0.4*0.7", NONE), ("ift6135/a2/question2", 2, "-1.5-3.1-4.8", "in 2.4b."),
    # 2048/2049 = .99951196 and 4095/4097 = .99951184.
    ("comp4901y/hw3/question1", 1, "4095/4097", "Equal in six digits, but not the same."),
    # Letters at the end are no unit; a word for a large number is one.
    ("ift6135/a2/question4", 3, "n d^2 + 2dnr", "The same."), ("ift6135/a2/question4", 0, "16.8 million", "The same, rounded."),
    ("ift6135/a2/question4", 0, "16.8 M", "The same, rounded."), ("ift6135/a2/question2", 0, "T^N", UNWORKABLE),
    (HW4_1, 0, "2 N_top 12 D^2", "The same."),
    # 2 · 16/4096 is 0.78125 %, with the sign or without it; 8 · 4096 · 16 bytes are a fourth of what is needed in training.
    ("ift6135/a2/question4", 1, "524288", "This is the number of A and B alone, without gradients and moments."),
    # Two letters have 32 heads each, and another number of the page is 575.
    ("utaustin/lecture25/batching", 0, "s(2 D N_layer(D_ff + 2 H n_H) + D N_vocab)", "with others it is another formula."),
    ("sydney/seminar2/kv_cache", 0, "n^2", "With n = 575 this is 330\u202f625. It is another formula."),
    ("ift6135/a2/question2", 0, "(N - 1)^T", "“The word <BOS> appears at the start only”, which may be chance."),
    ("ift6135/a2/question2", 0, "N^20", "The same with these numbers only; with others it is another formula."),
    ("ift6135/a2/question2", 0, "N^T - 1", "It is the answer minus 1."),
    # d^2 n + 2 d n r multiply-adds; one product forgotten, and one addition more.
    ("ift6135/a2/question4", 3, "n d^2 + n d r", "It is the answer minus n d r."),
    ("ift6135/a2/question4", 3, "n d^2 + 2 n d r + 2 n", "It is the answer plus 2 n."),
    # Nine of ten drafts are kept: (1 - .9^4) / ((1 - .9) (1 + 3 · .05)) is the gain.
    ("utaustin/lecture25/speculative_decoding", 3, "7.08x", NONE),
    # The best sequence has .12, whose natural logarithm is -2.1203; a year has 31 557 600 seconds.
    ("comp4901y/hw3/question2", 0, "-2.12026", "This is the number as a natural logarithm."),
    ("ift6135/a2/question2", 1, "1.05665e85", "This is the number in seconds."),
    # e^-9.1 = .00011167, and -9.1/3 = -3.033.
    ("ift6135/a2/question2", 2, "1.117e-4", "This is the number as a probability."),
    ("ift6135/a2/question2", 2, "-3.033", "This is the number as a mean over its words."),
    # Of three drafted tokens a word behind the number is its unit; 3 is the best number of another rate, by chance.
    ("utaustin/lecture25/speculative_decoding", 0, "11 tokens", "The same."),
    ("utaustin/lecture25/speculative_decoding", 0, "3", NONE),
    # 50257^21 is 5.31 · 10^98, as log10(50257) = 4.7012: 21 · 4.7012 = 98.725.
    ("ift6135/a2/question2", 0, "N^(T + 1)", f"{AT} about 5.31041e98. It is the answer times N."),
    # After step 3 a sequence that beam search drops has -9.6.
    ("ift6135/a2/question2", 2, "-9.6", "This is the number of “candidates, Step 3, a red square: Log-likelihood” in 2.4b."),
    # Of 3 · 4 candidates at step 3, c a a has the score .36 · .2.
    ("comp4901y/hw3/question2", 0, "0.072", "This is the number of “c a a: Score” in “Step 3: 6 candidates”."),
    # Sample 1 has 2, 5, 1 and 4, 3, 4: their mean is 19/6. The first value of the box is a mean over the batch.
    ("ift6135/a2/question1", 0, "19/6", "This is the number of “layer mean, sample 1”."),
    # Greedy search ends at -9.1. Two beams keep -9.3, which 2.4b asks for.
    ("ift6135/a2/question2", 2, "-9.3", "This is the number of “rank 1: Log-likelihood” in 2.4b."),
])  # fmt: skip
def test_a_number_from_elsewhere_on_the_page(page: Page, built: Project, path: str, box: int, number: str, result: str) -> None:
    page.goto(f"{built.path('site').as_uri()}/answers/{path}.html")
    details = of_box(page, box)
    details.get_by_label("Your number").fill(number)
    shown = details.get_by_role("status").inner_text()
    assert shown == result or shown.endswith(f" {result}") or (result == NONE and NONE in shown)


def test_a_share_may_be_typed_in_per_cent(page: Page, built: Project) -> None:
    """Products of rank 16 over those of width 4096 are 2 * 16/4096 = 1/128 = 0.78125 %; a formula has the letters r and d."""
    page.goto(f"{built.path('site').as_uri()}/answers/ift6135/a2/question4.html")
    details = of_box(page, 1)
    details.get_by_label("Which value").select_option("low-rank products over the product with W")
    for number, said in (
        ("0.78125 %", "The same."),
        ("0.7813%", "The same, rounded."),
        ("1/128", "The same."),
        ("2r/d", f"{AT} about 0.0078125. The same."),
        ("r/d", f"{AT} about 0.00390625. {IT_IS_HALF}: the number without the factor 2."),
    ):
        details.get_by_label("Your number").fill(number)
        assert details.get_by_role("status").inner_text().endswith(said)


def test_a_number_of_another_reading(page: Page, built: Project) -> None:
    """With 3 beams or more the best sequence is a b a, .2 * .8 * .8 = .128; the box has .12."""
    page.goto(f"{built.path('site').as_uri()}/answers/comp4901y/hw3/question2.html")
    details = of_box(page)
    details.get_by_label("Your number").fill("0.128")
    told = details.get_by_role("status").inner_text()
    assert told == "This is the number under another reading, “3 beams”, or under another reading, “4 beams”."


@pytest.mark.parametrize(("number", "result"), [
    # The hard loss is ln 5.5, between 1.7047 and 1.7048; 2^2.459 = 5.5 and 10^0.740 = 5.5.
    ("1.705", "The same, rounded."),
    ("2.459", "This is the number with logarithms to base 2."),
    ("0.740", "This is the number with logarithms to base 10."),
    ("-2.459", "This is the number with the other sign and with logarithms to base 2."),
])  # fmt: skip
def test_a_logarithm(page: Page, built: Project, number: str, result: str) -> None:
    page.goto(f"{built.path('site').as_uri()}/answers/utaustin/lecture25/distillation.html")
    details = of_box(page)
    details.get_by_label("Which value").select_option(index=0)
    details.get_by_label("Your number").fill(number)
    assert details.get_by_role("status").inner_text() == result


@pytest.mark.parametrize(("row", "result"), [
    # The candidates are t1 t2 t3 t4, t1 t2 t5 t6, t1 t7 t8 t9, t1 t7 t8 t10 and t1 t7 t11 t12 t13. A row has ones at a node and
    # at all nodes below it: for t8 at t8, t9 and t10. Its column has them at t1, t7 and t8.
    ("0 0 0 0 0 0 0 1 1 1 0 0 0", "The same."), ("[0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0]", "The same."),
    ("1000001100000", "This is the row of the transposed mask, in which a row says whom the node sees."),
    ("1111111000111", "This is the row with 0 and 1 exchanged."),
    ("0000000011000", "This is the row without the node itself."),
    ("0000000111111", "This is the row of a causal mask, in which a node sees all nodes before it."),
    ("1111111100000.", "This is the row of a transposed causal mask, in which a node sees all nodes before it."),
    ("0000000000111", "This is the row of t₁₁."),
    ("0000000110001", "Another row, and none of the slips that this page knows. It differs at t₁₀, t₁₃."),
    ("00000001110", "A row of this mask has 13 entries, and this one has 11."),
    ("0.5", "This is not read as a row. Write its ones and zeros, as 1 0 1."),
])  # fmt: skip
def test_a_row_of_a_mask(page: Page, built: Project, row: str, result: str) -> None:
    address = f"{built.path('site').as_uri()}/answers/comp4901y/hw4/question2.html"
    if page.url != address:
        page.goto(address)
    assert said_of_row(page, 0, "2.1: row of t₈", row) == result


def test_a_token_that_stands_in_several_rows(page: Page, built: Project) -> None:
    """With three heads of two guesses each t₄ stands below t₂ and t₃, in rows 4 and 6; below it are two nodes, each in turn."""
    page.goto(f"{built.path('site').as_uri()}/answers/comp4901y/hw4/question2.html")
    names = page.locator("details.compare").last.get_by_label("Which value").locator("option").all_text_contents()
    assert [one for one in names if "t₄" in one] == ["2.2: row of t₄ (row 4)", "2.2: row of t₄ (row 6)"]
    row = "0 0 0 0 0 1 0 0 0 0 0 1 1 0 0"  # of nodes 4 to 7, in order, the third has the fifth and sixth of nodes 8 to 15
    assert said_of_row(page, -1, names[5], row) == "The same."
    assert said_of_row(page, -1, names[3], row) == "This is the row of t₄ (row 6)."


def said_of_row(page: Page, box: int, name: str, row: str) -> str:
    """What a page says of a row that is typed below a box."""
    details = page.locator("details.compare").nth(box)
    if details.get_attribute("open") is None:
        details.get_by_text("Why is my row different?").click()
    details.get_by_label("Which value").select_option(label=name)
    details.get_by_label("Your row").fill(row)
    return details.get_by_role("status").inner_text()
