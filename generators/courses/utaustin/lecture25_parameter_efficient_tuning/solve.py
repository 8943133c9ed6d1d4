"""Answers the slide's question on LoRA, counts trained shares, holds them against the lecture's, and counts bytes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import sympy

from generators.answer import Answer, Part, answer, claim, formula, letter, number, part, text
from generators.cells import Cell, Value, at, exact, rational
from generators.courses.utaustin.lecture25_parameter_efficient_tuning import counts
from generators.courses.utaustin.lecture25_parameter_efficient_tuning.counts import D_FF, N_MODEL, N_ROWS, R_AD, SHARE
from generators.courses.utaustin.lecture25_parameter_efficient_tuning.params import Model, Printed, TuningParams
from generators.depending import either
from generators.table import Column, column, table
from generators.topics.peft import N_LAYER, D, R
from generators.traced import alone

TITLES = {"bitfit": "BitFit", "adapters": "Adapters", "lora": "LoRA"}
MIB = 2**20
Rows = dict[str, tuple[Cell, ...]]


def solve(params: TuningParams) -> Answer:
    """The reduction by LoRA, the first model and what tunes it, shares of all models, printed shares, and bytes."""
    first = _first(params)
    sizes = {"adapters": (R_AD, params.adapter_width, "inner width"), "lora": (R, params.rank, "rank")}
    added = (_added(*one, first, params) for one in sizes.items())
    own = (_shares(params, first), _printed(params, first), _bytes(params))
    return answer(_sheet(params), _reduction(params), first, *added, *own)


def _sheet(params: TuningParams) -> Part:
    """What is given."""
    held, printed = params.conventions, params.printed
    return part(
        "sheet",
        "Given",
        text("models", _in_words([model.name for model in params.models])),
        text("first_model", params.models[0].name),
        text("lora_on", _in_words(params.lora_on)),
        number("printed_diff_pruning", exact(printed.diff_pruning.percent), "printed share of diff pruning", unit="%"),
        number("n_tasks", params.n_tasks, "tasks"),
        claim("adapters_train_norms", held.adapters_train_norms),
        number("bytes_per_value", held.bytes_per_value, unit="B"),
        number("optimizer_states", held.optimizer_states, "values that the optimizer keeps for each trained one"),
    )


def _in_words(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _reduction(params: TuningParams) -> Part:
    rows: Rows = {}
    for rank in params.ranks:
        fewer = rational(params.d_model) / (2 * rank)
        rows[f"rank_{rank}"] = (rank, 2 * params.d_model * rank, exact(fewer), exact(100 / fewer))
    columns = [column("rank"), column("values", "Values of A and B"), column("times_fewer"), column("share", unit="%")]
    return part(
        "1",
        "The reduction by LoRA",
        letter(D, params.d_model, "model width"),
        letter(R, params.rank, "rank"),
        formula("full", D**2, "values of W", "N_W"),
        formula("lora", 2 * D * R, "values of A and B", "N_{BA}", asked=True),
        formula("ratio", D / (2 * R), "times fewer", "N_W / N_{BA}", asked=True),
        formula("break_even", D / 2, "rank that saves nothing", "R_0"),
        table("ranks", columns, rows),
    )


def _first(params: TuningParams) -> Part:
    """The model that the lecture's table is about, and what has no size of its own."""
    model = params.models[0]
    words = {
        N_LAYER: "layers",
        D: "model width",
        D_FF: "inner width of the feed-forward networks",
        N_ROWS: "rows of embeddings",
    }
    return part(
        "model",
        "The lecture's model",
        *(letter(symbol, size, words[symbol]) for symbol, size in _sizes(model).items()),
        formula("values", counts.model_values(), "values of the model", N_MODEL),
    )


def _sizes(model: Model) -> dict[sympy.Symbol, Value]:
    """The letters of the formulas but R and R_ad."""
    rows = model.vocabulary_size + model.n_positions + model.n_segments
    return {N_LAYER: model.n_layers, D: model.d_model, D_FF: model.d_ff, N_ROWS: rows}


def _formulas(params: TuningParams) -> dict[str, sympy.Expr]:
    """The values that each method trains."""
    return {
        "bitfit": counts.bias_values(),
        "adapters": counts.adapter_values(norms=params.conventions.adapters_train_norms),
        "lora": counts.lora_values(params.lora_on),
    }


def _symbol(name: str) -> str:
    return rf"N_{{\text{{{TITLES[name]}}}}}"


def _added(name: str, size: tuple[sympy.Symbol, int, str], first: Part, params: TuningParams) -> Part:
    """A method with a size of its own, in the first model."""
    trained = _formulas(params)[name]
    items = letter(*size), formula("trained", trained, f"trained by {TITLES[name]}", _symbol(name))
    return part(name, TITLES[name], *items, within=first)


def _trained(model: Model, params: TuningParams) -> dict[str, Fraction]:
    """Values that each method trains in a model, at the page's width and rank."""
    sizes = {"adapters": params.adapter_width, "lora": params.rank}
    return {name: _at(one, model, sizes.get(name, 1)) for name, one in _formulas(params).items()}


def _at(expression: sympy.Expr, model: Model, size: int = 1) -> Fraction:
    return rational(at(expression, {**_sizes(model), R: size, R_AD: size}))


def _whole(model: Model) -> Fraction:
    return _at(counts.model_values(), model)


def _shares(params: TuningParams, first: Part) -> Part:
    models: Rows = {}
    shares: Rows = {}
    for place, model in enumerate(params.models, 1):
        whole = _whole(model)
        models[f"model_{place}"] = (model.name, model.n_layers, model.d_model, model.d_ff, exact(whole))
        for name, trained in _trained(model, params).items():
            shares[f"model_{place}.{name}"] = (model.name, TITLES[name], exact(100 * trained / whole), exact(trained))
    columns: list[Column | str] = ["model", column("layers"), column("width", "D"), column("ffn", "FFN"), column("values")]
    return part(
        "2",
        "Trained shares",
        formula("bitfit", counts.bias_values(), "trained by BitFit", _symbol("bitfit")),
        table("models", columns, models),
        table("shares", ["model", "method", column("share", unit="%"), "trained"], shares, asked=True),
        within=first,
    )


@alone
def _printed(params: TuningParams, first: Part) -> Part:
    model, printed, norms = params.models[0], params.printed, params.conventions.adapters_train_norms
    rows: Rows = {
        f"bitfit.model_{place}": _beside(printed.bitfit, "BitFit", one, None, _trained(one, params)["bitfit"])
        for place, one in enumerate(params.models, 1)
    }
    biases = {one.name: _share(one, _trained(one, params)["bitfit"]) for one in params.models}
    alike = ", ".join(name for name, share in biases.items() if _rounds_to(share, printed.bitfit))
    others = {f"adapters.other_{place}": width for place, width in enumerate(params.other_adapter_widths, 1)}
    differing = {key: width != params.adapter_width for key, width in others.items()}
    for key, width in {"adapters.own": params.adapter_width, **others}.items():
        trained = _at(counts.adapter_values(norms=norms), model, width)
        rows[key] = _beside(printed.adapters, "Adapters", model, width, trained)
    difference = float(printed.diff_pruning.percent / 100 * _whole(model))
    columns: list[Column | str] = [
        "method",
        "counted_for",
        "inner_width",
        column("printed", unit="%"),
        column("counted", unit="%"),
        "rounds_to_printed",
    ]
    return part(
        "3",
        "Beside the lecture's table",
        letter(SHARE, exact(printed.adapters.percent / 100), "printed share of adapters, of one"),
        formula(
            "width",
            counts.width_for_share(norms=norms),
            "inner width that trains the printed share",
            r"R_{\text{printed}}",
            asked=True,
        ),
        number("difference", int(float(f"{difference:.2g}")), "values of a difference with the printed share"),
        claim("bitfit_alike", bool(alike), "the printed share of BitFit is that of a model"),
        claim("bitfit_apart", not alike, "the printed share of BitFit is that of no model"),
        text("bitfit_models", alike),
        table("printed", columns, rows, asked=True, depending=differing),
        within=first,
    )


def _beside(printed: Printed, method: str, model: Model, width: int | None, trained: Fraction) -> tuple[Cell, ...]:
    """A printed share and a counted one, and whether that rounds to it."""
    share = _share(model, trained)
    alike = either(_rounds_to(share, printed), "yes", "no")
    return method, model.name, width, exact(printed.percent), exact(share), alike


def _share(model: Model, trained: Fraction) -> Fraction:
    """In per cent of all values."""
    return 100 * trained / _whole(model)


def _rounds_to(share: Fraction, printed: Printed) -> bool:
    """Whether a share has the printed decimals when it is rounded, half to even."""
    units = printed.percent * 10**printed.decimals
    if units.denominator > 1:
        return False
    apart: Fraction = (share * 10**printed.decimals - units) ** 2
    return apart <= Fraction(1, 4) if units % 2 == 0 else apart < Fraction(1, 4)


def _bytes(params: TuningParams) -> Part:
    first, held = params.models[0], params.conventions
    whole, size = _whole(first), held.bytes_per_value
    rows: Rows = {}
    for name, values in {"full": whole, **_trained(first, params)}.items():
        shared = 0 if name == "full" else whole
        kept = (values, params.n_tasks * values + shared, values * (1 + held.optimizer_states))
        rows[name] = (TITLES.get(name, "Full"), *(exact(size * one / MIB) for one in kept))
    columns = [column(key, unit="MiB") for key in ("one_task", "all_tasks", "gradients_and_optimizer")]
    return part("4", "What it saves", table("bytes", ["method", *columns], rows, asked=True))
