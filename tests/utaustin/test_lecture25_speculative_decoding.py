"""Rounds followed by hand, the rule on tiny models, the expected gain, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import pytest

from generators.cells import Cell
from generators.courses.utaustin.lecture25_speculative_decoding import rounds
from generators.question import Whole
from tests.conftest import worked_out
from tests.entries import Far, entry_of, solved_entry

SLUG = "lecture25_speculative_decoding"
ID = f"utaustin/{SLUG}"
F = Fraction
SURE = {"a": [0, 1], "b": [1, 0]}
EVEN = {word: ["1/3"] * 3 for word in "abc"}


def models(target: dict[str, Any], draft: dict[str, Any], **more: Any) -> dict[str, Any]:
    words = list(target)
    return {"vocabulary": words, "first": words[0], "target": Whole(target), "draft": Whole(draft), **more}


def gain(cost_ratio: float | str, *rates: float | str, longest: int = 16) -> dict[str, Any]:
    return {"gain": {"cost_ratio": cost_ratio, "acceptance_rates": list(rates), "longest_draft": longest}}


FAR = [
    Far(models(SURE, SURE, n_drafted=1, n_greedy_calls=1, sampling={"seed": 0, "decimals": 1}),
        says=("1 call gives 2 tokens", "keeps 1 of 1 drafted token,", "1 of 1 possible sequence is exactly as likely",
              "have 1 decimal (seed", "as nothing was rejected"), silent=("is rejected, and",)),
    Far(models({"a": [1, 0], "b": [1, 0]}, SURE, sampling={"seed": 25, "decimals": 1}),  # the first try has r = 0, and p = 0
        says=("keeps 0 of 3 drafted tokens; “b” after “a” is rejected, and “a” is drawn in its place",)),
    Far(gain(5, 0, longest=1), silent=("Where no best",)),  # drafting never pays
    Far(gain(0.001, 0.5, 0.9, 0.999, longest=8),
        says=("Where no best $\\gamma$ is given, the gain still rises at 8 drafted tokens",)),
    Far(gain("1/3", "2/7", "1/3", longest=1) | {"n_drafted": 1}, says=("drafts of up to 1 token were tried",)),
    Far({"n_drafted": 5}, says=("shorter than 6 tokens",)),
    Far(models(EVEN, EVEN, n_drafted=6), says=("keeps 6 of 6 drafted tokens, and", "2187 of 2187 possible sequences are")),
    Far({"n_greedy_calls": 6, "n_drafted": 4, "first": "home", "sampling": {"seed": 4294967295, "decimals": 9}}),
    Far(models({word: [1, *[0] * 5] for word in "abcdef"}, {word: [0] * 5 + [1] for word in "abcdef"}, n_drafted=4),
        says=("keeps 0 of 4", "1 of 1 possible sequence is")),  # nothing in common
]  # fmt: skip

entry, solved = partial(entry_of, ID), partial(solved_entry, ID)


def column(address: str, key: str) -> list[Cell]:
    return list(worked_out(ID)[2][address][key].cells.values())


def test_greedy_calls() -> None:
    """After ran the draft says the (.5) and the target home (.5): only the first call is cut short."""
    assert list(worked_out(ID)[2]["1/rounds"].rows["call_1"].values()) == [
        1,
        "dog ran the",
        "dog ran home dog",
        "dog ran home",
        2,
    ]
    assert column("1/rounds", "kept") == [2, 3, 3]
    assert worked_out(ID)[2]["1/tokens_per_call"].value == F(11, 3)  # (3 + 4 + 4) / 3


def test_fates_of_one_token() -> None:
    """Target 0 .6 .1 .3, draft .1 .5 .3 .1: kept are 0 .5 .1 .1, and the .3 that is lost goes to dog and home as .1 to .2."""
    assert column("3/one_token", "drafted_and_kept") == [0, F(5, 10), F(1, 10), F(1, 10)]
    assert column("3/one_token", "drawn_instead") == [0, F(1, 10), 0, F(2, 10)]
    assert worked_out(ID)[2]["3/acceptance_rate"].value == F(7, 10)


def rows(*shares: Fraction) -> dict[str, dict[str, Fraction]]:
    """A model of a and b: the probability of a after each, and of b."""
    return {before: {"a": share, "b": 1 - share} for before, share in zip("ab", shares, strict=True)}


def test_a_round_followed_by_hand() -> None:
    """Two drafted tokens, of which the first is rejected, so that the second is not tried."""
    numbers = iter([F(1, 2), F(2, 10), F(9, 10), F(1, 2), F(7, 10)])
    one = rounds.sampled_round(rows(F(6, 10), F(6, 10)), rows(F(1), F(1, 2)), "b", 2, numbers)
    # after b the draft is 1/2, 1/2: 1/2 falls in the second share, so b; again from b: .2 gives a
    assert one.tokens == ["b", "b", "a"]
    # b: .4/.5 = .8 is not above .9, so it is rejected, and max(0, p - q) is .1, 0
    assert (one.tries, one.accepted, one.last_from, one.last) == ([F(9, 10)], 0, {"a": F(1), "b": F(0)}, "a")


@pytest.mark.parametrize(("p", "r", "kept"), [(F(0), F(0), 0), (F(1, 2), F(1, 2), 0), (F(1, 2), F(49, 100), 1)])
def test_a_number_equal_to_the_probability_rejects(p: Fraction, r: Fraction, kept: int) -> None:
    """A token that the target cannot emit is never kept, even where the random number is 0."""
    sure = rows(F(1), F(1))
    assert rounds.sampled_round(rows(p, p), sure, "a", 1, iter([F(0), r, F(0)])).accepted == kept


def test_a_round_added_up() -> None:
    """Here p = 3/4, 1/4 and q = 1/4, 3/4 whatever stands before; one token is drafted."""
    target = rows(F(3, 4), F(3, 4))
    found = rounds.round_outcomes(target, rows(F(1, 4), F(1, 4)), "a", 1)
    # rejected: 3/4 · (1 - 1/3); kept: 1/4 · 1 for a and 3/4 · 1/3 for b, and then 3/4 or 1/4
    kept: rounds.Outcomes = {("a", "a"): F(3, 16), ("a", "b"): F(1, 16), ("b", "a"): F(3, 16), ("b", "b"): F(1, 16)}
    assert found == kept | {("a",): F(1, 2)}
    assert rounds.completed(found, target, 2)["a", "a"] == F(9, 16)  # 1/2 · 3/4 + 3/16 = 3/4 · 3/4


def test_the_best_draft_length_is_where_one_more_no_longer_pays() -> None:
    """At α = .5, c = .05: γ = 3 gives 1.875/1.15 = 1.6304, γ = 2 1.75/1.1 = 1.5909, γ = 4 1.9375/1.2 = 1.6146."""
    assert column("4/best", "gain")[0] == F(1875, 1150)
    assert worked_out(ID)[2]["4/gain"].value == F(3439, 1150)  # at α = .9: 1 + .9 + .81 + .729 over 1 + 3 · .05
    assert column("4/best", "best") == [3, 6, 8, 13]


def test_no_draft_may_be_best_and_a_gain_that_still_rises_has_no_best() -> None:
    """At α = 1/2 one drafted token gives 3/2 in the time 1 + c: less than 1 for c = 1, and at c = 1/100 two give 1.75/1.02."""
    found = [solved(entry(**gain(c, 0.5, longest=1)))["4/best"].rows["alpha_1"] for c in (1, 0.01)]
    assert [(row["best"], row["gain"]) for row in found] == [(0, 1), (None, None)]


REFUSED = [
    ({"vocabulary": ["the", "the"]}, "vocabulary: must not repeat a token (got ['the', 'the'])"),
    ({"n_drafted": 7},
     "n_drafted: must give at most 16384 sequences to add up (got 65536)"),
    ({"target": Whole({"the": [1]})}, "target: must have a row for each token of the vocabulary and no other (got ['the'])"),
    ({"draft": {**entry()["draft"], "dog": [0.5, 0.5]}}, "draft: row dog must have 4 probabilities (got 2)"),
    ({"draft": {**entry()["draft"], "dog": [0.333, 0.333, 0.333, 0]}},
     "draft: row dog must sum to 1, with a third written as 1/3 (got 999/1000)"),
    (gain(0.1, 1), "gain.acceptance_rates.0: must be less than 1 (got 1)"),
]  # fmt: skip
