"""Seminar 2, merging of the KV cache: who is evicted, who takes whom in, the merged cache, and the error that is left."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Literal, Self

import sympy
from pydantic import Field, model_validator

from generators.answer import Cell, Figure, Value, exact
from generators.params import Exact, Params, PositiveInt, Text
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step
from generators.topics.attention import relative_error
from generators.topics.kv_merging import (
    RULES,
    Assigned,
    Rule,
    TokenScore,
    assignment,
    attention_over,
    cosine,
    merged,
    merged_entry,
    rational_number,
    token_scores,
)

MAX_WIDTH, MAX_TOKENS = 4, 12
LEAST_OUTPUT = 0.001
"""Of the largest component of a query's output; errors are relative to it."""
Bounded = Annotated[Exact, Field(ge=-20, le=20)]
Rows = list[Annotated[list[Bounded], Field(min_length=1, max_length=MAX_WIDTH)]]
SYMBOLS: dict[Rule, str] = {rule: rf"k_{{\text{{{rule}}}}}" for rule in RULES}


class Token(Params):
    """A token by its name and kind."""

    name: Text
    kind: Literal["image", "text"]


class Eviction(Params):
    """A causal attention matrix over image and text tokens, and how many tokens stay."""

    tokens: Annotated[list[Token], Field(min_length=3, max_length=MAX_TOKENS)]
    attention: list[list[Annotated[Exact, Field(ge=0, le=1)]]]
    n_recent: PositiveInt
    n_top: PositiveInt

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.attention) != len(self.tokens):
            raise ValueError(f"attention: must have a row for each token (got {len(self.attention)})")
        for number, row in enumerate(self.attention, 1):
            if len(row) != number:
                raise ValueError(f"attention: row {number} must have {number} weights (got {len(row)})")
            if sum(row) != 1:
                raise ValueError(f"attention: row {number} must sum to 1 (got {sum(row)})")
        if self.n_recent + self.n_top >= len(self.tokens):
            raise ValueError(f"n_top: must leave a token to evict (got {self.n_top} beside {self.n_recent} recent ones)")
        return self


class Merging(Params):
    """Keys and values of the cache, one row a token, and the numbers of those that are conserved."""

    conserved: Annotated[list[PositiveInt], Field(min_length=1, max_length=6)]
    keys: Annotated[Rows, Field(min_length=2, max_length=MAX_TOKENS)]
    values: Rows

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.values) != len(self.keys):
            raise ValueError(f"values: must be as many as keys (got {len(self.values)})")
        for name in ("keys", "values"):
            lengths = sorted({len(row) for row in getattr(self, name)})
            if len(lengths) > 1:
                raise ValueError(f"{name}: must be of one length (got {lengths})")
        for number, key in enumerate(self.keys, 1):
            if not any(key):
                raise ValueError(f"keys: must not be zero, which has no direction (got key {number})")
        if self.conserved != sorted(set(self.conserved)) or self.conserved[-1] > len(self.keys):
            raise ValueError(f"conserved: must be rising numbers of keys (got {self.conserved})")
        if len(self.conserved) == len(self.keys):
            raise ValueError(f"conserved: must leave a token to evict (got all {len(self.keys)})")
        return self

    @property
    def evicted(self) -> list[int]:
        """The numbers of the tokens that are not conserved."""
        return [number for number in range(1, len(self.keys) + 1) if number not in self.conserved]


class MergingParams(Params):
    """The attention that decides who is evicted, the cache that is merged, and the queries that read it."""

    eviction: Eviction
    merging: Merging
    queries: Annotated[Rows, Field(min_length=1, max_length=6)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        width = len(self.merging.keys[0])
        for number, query in enumerate(self.queries, 1):
            if len(query) != width:
                raise ValueError(f"queries: query {number} must be as long as the keys, {width} (got {len(query)})")
        for number, output in enumerate(self.dense_outputs(), 1):
            if max(map(abs, output)) < LEAST_OUTPUT:
                shown = ", ".join(f"{x:.3g}" for x in output)
                raise ValueError(f"queries: query {number} must have an output that is not near zero (got {shown})")
        return self

    def dense_outputs(self) -> list[tuple[float, ...]]:
        """The output of each query over all tokens, to which errors are relative."""
        merging = self.merging
        attention = attention_over(*map(_rows, (self.queries, merging.keys, merging.values)))
        everything = tuple(range(len(merging.keys)))
        return [tuple(map(float, attention.output(i, everything))) for i in range(len(self.queries))]


def _rows(rows: Rows) -> list[list[sympy.Rational]]:
    return [[rational_number(x) for x in row] for row in rows]


def solve(params: MergingParams) -> Answer:
    """Score and evict, compare keys, merge by each rule, and attend to what is left."""
    merging = params.merging
    parts = {"1": _eviction(params.eviction), "2": _similarity(merging), "3": _merged(merging)}
    return Answer({**parts, "4": _errors(params)})


def _eviction(eviction: Eviction) -> Part:
    names = [token.name for token in eviction.tokens]
    is_text = [token.kind == "text" for token in eviction.tokens]
    found = token_scores(eviction.attention, is_text, eviction.n_recent, eviction.n_top)
    padded = [[*map(exact, row), *[None] * (len(names) - len(row))] for row in eviction.attention]
    weights = tuple((name, *row) for name, row in zip(names, padded, strict=True))
    rows = tuple(
        (token.name, token.kind, *map(exact, _sums(one)), one.fate, one.fate_unraised)
        for token, one in zip(eviction.tokens, found, strict=True)
    )
    header = ("Token", "Kind", "Self", "Cross", "Sum", "Score", "Fate", "By the sum")
    largest = Step(what="largest column sum", symbol=r"\max_j A_j", value=exact(max(one.column_sum for one in found)))
    tables = {
        "attention": Table(header=("Query", *(f"on {i}" for i in range(1, len(names) + 1))), rows=weights),
        "scores": Table(header=header, rows=rows),
    }
    return Part(title="Which tokens are evicted", steps={"largest": largest}, tables=tables)


def _sums(one: TokenScore) -> tuple[Fraction, ...]:
    return one.of_same_kind, one.of_other_kind, one.column_sum, one.score


@lru_cache(maxsize=4)
def _assigned(keys: tuple[tuple[Fraction, ...], ...], conserved: tuple[int, ...]) -> dict[int, list[Assigned]]:
    return assignment(keys, [number - 1 for number in conserved])


def assigned(merging: Merging) -> dict[int, list[Assigned]]:
    """For each conserved token, counted from 0, the evicted ones that go to it."""
    return _assigned(tuple(map(tuple, merging.keys)), tuple(merging.conserved))


def _similarity(merging: Merging) -> Part:
    home = {one.token: kept for kept, others in assigned(merging).items() for one in others}
    rows = []
    for number in merging.evicted:
        key = merging.keys[number - 1]
        cosines = (exact(cosine(key, merging.keys[kept - 1])) for kept in merging.conserved)
        rows.append((number, *cosines, home[number - 1] + 1))
    header = ("Evicted", *(f"to {kept}" for kept in merging.conserved), "Goes to")
    return Part(title="Similarity", tables={"matrix": Table(header=header, rows=tuple(rows))})


def _merged(merging: Merging) -> Part:
    goes_to = assigned(merging)
    tables = {}
    for name, vectors in (("keys", _rows(merging.keys)), ("values", _rows(merging.values))):
        letter, width = name[0], len(vectors[0])
        by_rule = {rule: merged(vectors, goes_to, rule) for rule in RULES}
        rows: list[tuple[Cell, ...]] = []
        for place, (kept, others) in enumerate(goes_to.items()):
            cells = [exact(sympy.expand(x)) for rule in RULES for x in by_rule[rule][place]]
            rows.append((kept + 1, len(others), *cells))
        components = (f"{rule} {letter}{j}" for rule in RULES for j in range(1, width + 1))
        tables[name] = Table(header=("Token", "L", *components), rows=tuple(rows))
    return Part(title="The merged cache", steps=_by_rule(merging), tables=tables)


def widest(merging: Merging) -> tuple[int, list[Assigned]]:
    """The conserved token, counted from 0, to which most go, the first of equals."""
    return max(assigned(merging).items(), key=lambda item: (len(item[1]), -item[0]))


def _by_rule(merging: Merging) -> dict[str, Step]:
    """The first component of that token's key by each rule."""
    kept, others = widest(merging)
    keys = [row[0] for row in _rows(merging.keys)]
    tokens = [kept, *(one.token for one in others)]
    k, s = ({token: sympy.Symbol(f"{letter}_{token + 1}") for token in tokens} for letter in "ks")
    steps: dict[str, Step] = {}
    for rule in RULES:
        formula = merged_entry(k[kept], [(k[one.token], s[one.token]) for one in others], rule)
        at: dict[sympy.Symbol, Value] = {k[token]: exact(keys[token]) for token in tokens}
        at |= {s[one.token]: exact(one.similarity) for one in others}
        used = {symbol: at[symbol] for symbol in sorted(formula.free_symbols, key=str)}
        steps[rule] = step(f"first component of key {kept + 1}, {rule}", SYMBOLS[rule], formula, used)
    return steps


def _errors(params: MergingParams) -> Part:
    merging, goes_to = params.merging, assigned(params.merging)
    q, k, v = _rows(params.queries), _rows(merging.keys), _rows(merging.values)
    queries, everything = range(len(q)), tuple(range(len(k)))
    whole = attention_over(q, k, v)
    true = [whole.output(i, everything) for i in queries]
    outputs = {"eviction": [whole.output(i, tuple(goes_to)) for i in queries]}
    for rule in RULES:
        smaller = attention_over(q, merged(k, goes_to, rule), merged(v, goes_to, rule))
        outputs[rule] = [smaller.output(i, tuple(range(len(goes_to)))) for i in queries]
    context = whole.context
    rows = []
    for i in queries:
        errors = (float(relative_error(context, [found[i]], [true[i]])) for found in outputs.values())
        rows.append((i + 1, *map(float, true[i]), *errors))
    header = ("Query", *(f"o{j}" for j in range(1, len(v[0]) + 1)), *outputs)
    overall = tuple((name, float(relative_error(context, found, true))) for name, found in outputs.items())
    tables = {
        "queries": Table(header=header, rows=tuple(rows)),
        "overall": Table(header=("Method", "Relative error"), rows=overall),
    }
    return Part(title="The error that is left", tables=tables)


def verify(params: MergingParams, answer: Answer) -> Iterator[Check]:
    """Add up every weight, compare with torch's cosine similarity, merge with scattered means, and attend with torch."""
    from generators.oracles.kv_merging import verify_merging

    return verify_merging(params, answer)


def draw(params: MergingParams, answer: Answer) -> dict[str, Figure]:
    """The similarity matrix with each row's maximum, the errors by method, and keys of two components before and after."""
    from generators.figures.kv_merging import errors_figure, similarity_figure

    part = answer["4"]
    figures = {
        "similarity": similarity_figure(answer["2"].tables["matrix"]),
        "errors": errors_figure(part.tables["queries"], part.tables["overall"]),
    }
    if len(params.merging.keys[0]) == 2:
        figures["keys"] = _keys_figure(params.merging, answer["3"].tables["keys"])
    return figures


def _keys_figure(merging: Merging, table: Table) -> Figure:
    from generators.figures.merged_keys import keys_figure

    keys = {number: (float(key[0]), float(key[1])) for number, key in enumerate(merging.keys, 1)}
    after = {}
    for rule in map(str, RULES):
        found = zip(merging.conserved, table.column(f"{rule} k1"), table.column(f"{rule} k2"), strict=True)
        after[rule] = {number: (_float(x), _float(y)) for number, x, y in found}
    before, evicted = ({number: keys[number] for number in group} for group in (merging.conserved, merging.evicted))
    return keys_figure(before, after, evicted)


def _float(cell: Cell) -> float:
    if cell is None or isinstance(cell, str) or not hasattr(cell, "__float__"):
        raise TypeError(f"not a number: {cell!r}")
    return float(cell)


QUESTION = SelfVerifying(
    title="Merging of the KV cache",
    points=0,
    params=MergingParams,
    solve=solve,
    verify=verify,
    draw=draw,
)
