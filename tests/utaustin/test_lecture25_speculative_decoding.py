"""Rounds followed by hand, the rule on tiny models, the expected gain, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.cells import Cell
from generators.courses.utaustin.lecture25_speculative_decoding import rounds as topic
from generators.errors import CheckFailed, ParameterError
from generators.pipeline.catalog import load_question
from generators.topics.speculative_decoding import expected_tokens
from tests.conftest import worked_out
from tests.entries import drawn_entry, entry_of, solved_entry

SLUG = "lecture25_speculative_decoding"
ID = f"utaustin/{SLUG}"
F = Fraction


entry, solved, drawn = partial(entry_of, ID), partial(solved_entry, ID), partial(drawn_entry, ID)


def cells(address: str) -> list[tuple[Cell, ...]]:
    return [tuple(row.values()) for row in worked_out(ID)[2][address].rows.values()]


def column(address: str, key: str) -> list[Cell]:
    return list(worked_out(ID)[2][address][key].cells.values())


def value(address: str) -> Cell:
    held: Cell = worked_out(ID)[2][address].value
    return held


def test_greedy_calls() -> None:
    """After ran the draft says the (.5) and the target home (.5): only the first call is cut short."""
    assert cells("1/rounds") == [
        (1, "the", "dog, ran, the", "dog, ran, home, dog", 2, "dog, ran, home", 3),
        (2, "home", "the, dog, ran", "the, dog, ran, home", 3, "the, dog, ran, home", 4),
        (3, "home", "the, dog, ran", "the, dog, ran, home", 3, "the, dog, ran, home", 4),
    ]
    assert value("1/tokens_per_call") == F(11, 3)  # (3 + 4 + 4) / 3


def test_fates_of_one_token() -> None:
    """Target 0 .6 .1 .3, draft .1 .5 .3 .1: kept are 0 .5 .1 .1, and the .3 that is lost goes to dog and home as .1 to .2."""
    assert column("3/one_token", "drafted_and_kept") == [0, F(5, 10), F(1, 10), F(1, 10)]
    assert column("3/one_token", "drawn_again") == [0, F(1, 10), 0, F(2, 10)]
    assert column("3/one_token", "emitted") == [0, F(6, 10), F(1, 10), F(3, 10)]
    # .5 + .3 · .6, .1 + .3 · .1, .1 + .3 · .3
    assert column("3/one_token", "if_drawn_again_from_p") == [0, F(68, 100), F(13, 100), F(19, 100)]
    assert value("3/acceptance_rate") == F(7, 10)
    assert value("3/bias") == F(11, 100)  # .08 + .03


def test_a_round_followed_by_hand() -> None:
    """Two drafted tokens, of which the first is rejected, so that the second is not read."""
    target = [(F(6, 10), F(4, 10))] * 2
    draft = [(F(1), F(0)), (F(1, 2), F(1, 2))]
    numbers = iter([F(1, 2), F(2, 10), F(9, 10), F(1, 2), F(7, 10), F(1, 4)])
    one = topic.sampled_round(target, draft, 1, 2, numbers)
    # after 1 the draft is 1/2, 1/2: 1/2 falls in the second share, so token 1; again from 1: .2 gives token 0
    assert [trial.token for trial in one.trials] == [1, 0]
    # token 1: .4/.5 = .8 is not above .9, so it is rejected; the rest is unread, and max(0, p - q) is .1, 0
    assert [(trial.tried_with, trial.kept) for trial in one.trials] == [(F(9, 10), False), (None, False)]
    assert (one.accepted, one.last_from, one.last_draw, one.last) == (0, (F(1), F(0)), F(1, 2), 0)


def test_all_kept_gives_one_token_more() -> None:
    model = [(F(1, 4), F(3, 4)), (F(1), F(0))]
    one = topic.sampled_round(model, model, 0, 1, iter([F(1, 2), F(99, 100), F(0)]))
    assert not one.rejected
    # 1/2 is in the share of token 1, after which comes 0
    assert (one.trials[0].token, one.last_from, one.last) == (1, (F(1), F(0)), 0)


def test_a_round_of_two_tokens_added_up() -> None:
    """Here p = 3/4, 1/4 and q = 1/4, 3/4 whatever stands before; one token is drafted."""
    target, draft = [(F(3, 4), F(1, 4))] * 2, [(F(1, 4), F(3, 4))] * 2
    assert topic.acceptance_rate(target[0], draft[0]) == F(1, 2)
    assert topic.round_outcomes(target, draft, 0, 1) == {
        (0,): F(1, 2),  # rejected: 3/4 · (1 - 1/3), and only 0 is left to draw
        (0, 0): F(3, 16),  # 1/4 · 1 · 3/4
        (0, 1): F(1, 16),
        (1, 0): F(3, 16),  # 3/4 · 1/3 · 3/4
        (1, 1): F(1, 16),
    }
    assert topic.expected_emitted(topic.round_outcomes(target, draft, 0, 1)) == F(3, 2)  # 1 · 1/2 + 2 · 1/2


def test_expected_tokens_and_gain() -> None:
    """At the last rate, .9, and at .7, the rate of the first token."""
    assert value("4/tokens") == F(3439, 1000)  # 1 + .9 + .81 + .729
    assert value("4/gain") == F(3439, 1150)  # over 1 + 3 · .05
    assert value("4/mean_by_formula") == F(2533, 1000)  # 1 + .7 + .49 + .343
    assert cells("4/tokens_by_length")[1] == (2, F(175, 100), F(219, 100), F(244, 100), F(271, 100))  # 1 + α + α²
    assert expected_tokens(F(0), 5) == 1


def test_the_best_draft_length_is_where_one_more_no_longer_pays() -> None:
    """At α = .5, c = .05: γ = 3 gives 1.875/1.15 = 1.6304, γ = 2 1.75/1.1 = 1.5909, γ = 4 1.9375/1.2 = 1.6146."""
    assert cells("4/best")[0][2:] == (3, F(1875, 1000), F(1875, 1150))


def test_a_draft_longer_than_the_longest_tried() -> None:
    """The gain at the drafted length is stated all the same."""
    gain = {"cost_ratio": 1, "acceptance_rates": [0.5], "longest_draft": 2}
    assert solved(entry(gain=gain))["4/best/alpha_1/at_gamma"].value == F(1875, 4000)  # 1.875 / (1 + 3)


def distributions(size: int) -> st.SearchStrategy[list[str]]:
    weights = st.lists(st.integers(0, 5), min_size=size, max_size=size).filter(any)
    return weights.map(lambda one: [str(F(weight, sum(one))) for weight in one])


@settings(max_examples=10, deadline=None)
@given(st.data(), st.integers(2, 3), st.integers(1, 3))
def test_any_two_models(data: st.DataObject, size: int, n_drafted: int) -> None:
    """Whatever the models: everything is found again, and all sequences stay as likely as under the target."""
    words = ["a", "b", "c"][:size]
    target, draft = ({word: data.draw(distributions(size)) for word in words} for _ in range(2))
    answer = drawn(entry(vocabulary=words, first="b", target=target, draft=draft, n_drafted=n_drafted))
    assert answer["3/sequences"].value == answer["3/equal"].value


def test_equal_models_reject_nothing() -> None:
    """β is 1: the formula in α has no value there, and is left out."""
    answer = solved(entry(draft=entry()["target"]))
    assert answer["3/acceptance_rate"].value == 1
    assert answer["4/mean"].value == 4
    assert "mean_by_formula" not in answer["4"].items
    assert not answer["2/rejected"]
    assert list(answer["2/last"].columns) == ["x", "p", "share_ends_at", "result"]


def drafting(after_dog: list[float]) -> dict[str, Any]:
    return {"draft": {**entry()["draft"], "dog": after_dog}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocabulary": ["the", "the", "ran", "home"]}, "vocabulary: must not repeat a token (got "),
        ({"first": "cat"}, "first: must be a token of the vocabulary (got 'cat')"),
        ({"n_drafted": 5}, "n_drafted: the vocabulary must have at most 1024 sequences of n_drafted + 1 tokens (got 4096)"),
        ({"n_drafted": 0}, "n_drafted: "),
        ({"target": {"the": [1]}}, "target: must have a row for each token of the vocabulary and no other (got ['the'])"),
        (drafting([0.5, 0.5]), "draft: row dog must have 4 probabilities (got 2)"),
        (drafting([0.5, 0.5, 0.5, 0]), "draft: row dog must sum to 1 (got 3/2)"),
        ({"gain": {"cost_ratio": 0.1, "acceptance_rates": [0.5, 0.5], "longest_draft": 5}},
         "gain.acceptance_rates: must rise from each to the next (got 1/2, 1/2)"),
        ({"gain": {"cost_ratio": 0.1, "acceptance_rates": [1], "longest_draft": 5}}, "gain.acceptance_rates.0: "),
    ],
)  # fmt: skip
def test_bad_parameters(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as refusal:
        solved(entry(**changes))
    assert str(refusal.value).startswith(f"generators/courses/utaustin/params.yml: {SLUG}: {message}")


def test_a_wrong_rule_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A solver that draws again from p counts fewer sequences as equally likely."""
    monkeypatch.setattr(topic, "residual", lambda target, draft: target)
    with pytest.raises(CheckFailed, match="2/last/token_1/drawn_with: published 1/5, found 1/2"):
        solved(entry())
    question_id, params, right = worked_out(ID)
    assert load_question(question_id).solve(params)["3/equal"].value < right["3/equal"].value
