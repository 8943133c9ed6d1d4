"""Assignment 2, question 4: LoRA and QLoRA compared, their time and trainable space in LFFN and MHA, and which to choose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

import sympy
from pydantic import Field, model_validator

from generators.answer import Figure, Value, exact, rational
from generators.params import Exact, Params
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step
from generators.topics.adapter_choice import (
    Cost,
    Costs,
    assignments,
    assignments_table,
    fastest,
    limit_between,
    modules_table,
    reduced,
    smallest,
)
from generators.topics.low_rank import METHODS, READINGS, Method, Module, Reading, d, h, lffn, m, mha, n, other_order, r
from generators.topics.low_rank_tables import (
    Units,
    directions,
    elementwise_table,
    errors_table,
    growth_table,
    methods_table,
    products_table,
    ranks_table,
    readings_tables,
    traffic_table,
    trainable_table,
    work_table,
)
from generators.topics.quantization import measured_error, seeded_weights

MAX_SIZE = 2**20
Size = Annotated[int, Field(gt=0, le=MAX_SIZE)]


class Conventions(Params):
    """What the numbers rest on."""

    output_matrix: Literal["hd_by_d", "d_by_d_summed_heads", "d_by_d_narrow_heads"] = Field(
        "hd_by_d", description="how the heads and the output matrix are made to fit"
    )
    bytes_per_value: Literal[2, 4] = Field(4, description="bytes of one value in full precision (4 is 32-bit floating point)")
    flops_per_multiply_add: Literal[1, 2] = Field(2, description="FLOPs counted for one multiply-add")


class Sample(Params):
    """The size×size standard normal weights on which the quantization error is measured."""

    seed: Annotated[int, Field(ge=0)]
    size: Annotated[int, Field(ge=2, le=512)]


class LowRankParams(Params):
    """Sizes of the layer, bits of a quantized weight, and the memory limit of 4.4 (b).

    A headroom of 0 fits the combination that stores the least and no other, 1 fits all.
    """

    d_model: Size
    rank: Size
    n_heads: Size
    context_len: Size
    quantized_bits: Annotated[int, Field(ge=2)]
    memory_headroom: Annotated[Exact, Field(ge=0, le=1)]
    sample: Sample
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.rank > self.d_model:
            raise ValueError(f"rank: must be at most d_model (got {self.rank} and {self.d_model})")
        if self.quantized_bits >= self.full_precision_bits:
            rule = f"must be below the {self.full_precision_bits} bits of full precision"
            raise ValueError(f"quantized_bits: {rule} (got {self.quantized_bits})")
        if self.conventions.output_matrix == "d_by_d_narrow_heads" and self.d_model % self.n_heads:
            rule = "must be divisible by n_heads while conventions.output_matrix is d_by_d_narrow_heads"
            raise ValueError(f"d_model: {rule} (got {self.d_model} and {self.n_heads})")
        return self

    @property
    def full_precision_bits(self) -> int:
        """Bits of a value that is not quantized."""
        return 8 * self.conventions.bytes_per_value

    @property
    def reading(self) -> Reading:
        """The reading of W^O in force."""
        return READINGS[self.conventions.output_matrix]

    @property
    def units(self) -> Units:
        """What counts are scaled by."""
        return Units(self.conventions.bytes_per_value, self.conventions.flops_per_multiply_add)

    @property
    def sizes(self) -> dict[sympy.Symbol, Value]:
        """The sheet's letters with their values."""
        return {n: self.context_len, d: self.d_model, r: self.rank, h: self.n_heads, m: self.quantized_bits}


def modules(params: LowRankParams) -> tuple[Module, Module]:
    """MHA and LFFN, in the order of the sheet's table."""
    return mha(params.reading), lffn()


def solve(params: LowRankParams) -> Answer:
    """Count what both methods store and compute, measure the quantization error, and choose."""
    return Answer(
        {
            "4.1": _implementation(params),
            "4.2": _ranks(params),
            "4.3": _inference(params),
            "4.4a": _complexities(params),
            "4.4b": _choice(params),
        }
    )


def _implementation(params: LowRankParams) -> Part:
    """One d×d matrix under both methods, and the error measured on the sample."""
    at, size = params.sizes, params.conventions.bytes_per_value
    weights = seeded_weights(params.sample.seed, params.sample.size)
    errors = [measured_error(weights, bits) for bits in sorted({*range(2, 9), params.quantized_bits})]
    (own,) = (one for one in errors if one.bits == params.quantized_bits)
    module = lffn()
    return Part(
        title="How the updates are implemented",
        steps={
            "adapter": step("A and B", "M_{AB}", size * module.trainable_values, at, "B"),
            "frozen_full": step("W in full precision", "M_W", module.frozen_bytes("LoRA", size), at, "B"),
            "frozen_codes": step("W as codes and Δ", r"M_{\text{codes}}", module.frozen_bytes("QLoRA", size), at, "B"),
            "dequantization": step("multiplications to dequantize W", r"E_{\text{dequant}}", module.frozen_values, at),
            "step_size": Step(what="step on the sample", symbol=r"\Delta", value=own.step),
            "largest_error": Step(what="largest error on the sample", symbol=r"\max \vert W_\Delta - W \vert", value=own.largest),
            "relative_error": Step(what="RMS error over RMS of the sample", symbol=r"\varepsilon", value=own.relative),
        },
        tables={"methods": methods_table(params.units, at), "errors": errors_table(errors, params.units, at)},
    )


def _ranks(params: LowRankParams) -> Part:
    """What rank costs beside one d×d matrix, and from which rank A and B outweigh it."""
    at, bits = params.sizes, params.full_precision_bits
    return Part(
        title="Choice of the rank",
        steps={
            "heavier_than_full": step("rank from which A and B outweigh W in full precision", "r_W", d / 2, at),
            "heavier_than_codes": step("rank from which A and B outweigh the codes", r"r_{\text{codes}}", m * d / (2 * bits), at),
            "directions": step("independent directions of an update of rank r", "D_r", directions(), at),
        },
        tables={"ranks": ranks_table(params.units, at)},
    )


def _inference(params: LowRankParams) -> Part:
    """Ways to serve one adapted d×d matrix, for a whole context and for one token."""
    at, flops = params.sizes, params.conventions.flops_per_multiply_add
    return Part(
        title="Speed and latency at inference",
        steps={
            "merge_products": step("FLOPs of merging, once", r"F_{\text{merge}}", flops * d**2 * r, at, "FLOP"),
            "merge_additions": step("additions of merging, once", r"E_{\text{merge}}", d**2, at),
            "merged_after": step("tokens after which merging has paid", "T", d * (flops * r + 1) / (2 * flops * r + 1), at),
            "share_context": step("dequantization over the FLOPs of XW", r"d^2 / F_{XW}", 1 / (flops * n), at),
            "share_token": step("the same for one token", r"d^2 / F_{xW}", sympy.Rational(1, flops), at),
        },
        tables={"work": work_table(params.units, at), "traffic": traffic_table(params.units, at)},
    )


def _complexities(params: LowRankParams) -> Part:
    """Both modules product by product, their exact sums, and the order of growth."""
    steps: dict[str, Step] = {}
    tables: dict[str, Table] = {}
    for module in modules(params):
        name = module.name.lower()
        steps |= {f"{name}_{key}": line for key, line in _sums(module, params).items()}
        tables[f"{name}_products"] = products_table(module, params.sizes)
        tables[f"{name}_elementwise"] = elementwise_table(module, params.sizes)
        tables[f"{name}_trainable"] = trainable_table(module, params.sizes)
    narrow = params.conventions.output_matrix == "d_by_d_narrow_heads"
    tables["growth"] = growth_table(modules(params)[::-1], narrow=narrow)
    tables |= readings_tables(params.conventions.output_matrix, params.sizes)
    return Part(title="Time and trainable space", steps=steps, tables=tables)


def _sums(module: Module, params: LowRankParams) -> dict[str, Step]:
    at, size, name = params.sizes, params.conventions.bytes_per_value, module.name
    branches, other = module.low_rank_multiply_adds, other_order(module)

    def line(what: str, letter: str, formula: sympy.Expr, unit: str = "") -> Step:
        return step(f"{name}: {what}", rf"{letter}^{{\text{{{name}}}}}", formula, at, unit)

    return {
        "multiply_adds": line("multiply-adds, both methods", "P", module.multiply_adds()),
        "operations_lora": line("elementwise operations, LoRA", r"E_{\text{LoRA}}", module.operations("LoRA")),
        "operations_qlora": line("elementwise operations, QLoRA", r"E_{\text{QLoRA}}", module.operations("QLoRA")),
        "quantization": line("operations of quantizing, once", r"E_{\text{quant}}", module.quantization),
        "trainable": line("trainable values", "S", module.trainable_values),
        "trainable_bytes": line("trainable bytes", "M", size * module.trainable_values, "B"),
        "in_order": line("low-rank branches as (XA)Bᵀ", r"P_{(XA)B^T}", branches),
        "other_order": line("low-rank branches as X(ABᵀ)", r"P_{X(AB^T)}", other),
        "order_ratio": line("the other order over the one used", r"P_{X(AB^T)} / P_{(XA)B^T}", sympy.cancel(other / branches)),
    }


def _choice(params: LowRankParams) -> Part:
    """Fill the sheet's table from what every assignment stores and computes."""
    costs = _costs(params)
    choices = assignments(costs)
    limit = limit_between(choices, params.memory_headroom)
    picked = {"Memory limit": smallest(choices), "Faster inference": fastest(choices), "Both": fastest(choices, limit)}
    rows = tuple((condition, *one.methods.values()) for condition, one in picked.items())
    return Part(
        title="LoRA or QLoRA for each module",
        steps={"limit": Step(what="memory limit", symbol=r"M_{\text{max}}", value=reduced(limit), unit="B")},
        tables={
            "choices": Table(header=("", *costs), rows=rows),
            "modules": modules_table(costs),
            "assignments": assignments_table(choices, limit),
        },
    )


def _costs(params: LowRankParams) -> Costs:
    at, units = params.sizes, params.units

    def cost(module: Module, method: Method) -> Cost:
        stored = module.stored_bytes(method, units.bytes_per_value).subs(at)
        served = module.served(method, units.flops_per_multiply_add).subs(at)
        return Cost(rational(exact(stored)), rational(exact(served)))

    return {module.name: {method: cost(module, method) for method in METHODS} for module in modules(params)}


def verify(params: LowRankParams, answer: Answer) -> Iterator[Check]:
    """Count both methods as torch modules, and quantize with torch and with exact fractions."""
    from generators.oracles.low_rank_adaptation import verify_low_rank

    return verify_low_rank(params, answer)


def draw(params: LowRankParams, answer: Answer) -> dict[str, Figure]:
    """The quantization error over bits, and bytes of A and B over rank."""
    from generators.figures.quantization import error_figure

    errors = error_figure(answer["4.1"].tables["errors"], params.quantized_bits)
    return {"error_over_bits": errors, "bytes_over_rank": _bytes_over_rank(params, answer)}


def _bytes_over_rank(params: LowRankParams, answer: Answer) -> Figure:
    from generators.figures.curves import Curve, log_log_figure

    module, size = lffn(), params.conventions.bytes_per_value
    formulas = {
        "A and B": size * module.trainable_values,
        f"W, {params.full_precision_bits} bits": module.frozen_bytes("LoRA", size),
        f"codes, {params.quantized_bits} bits": module.frozen_bytes("QLoRA", size),
    }
    ranks = [2**power for power in range(params.d_model.bit_length())]
    codes, full = (answer["4.2"][name].value for name in ("heavier_than_codes", "heavier_than_full"))
    return log_log_figure(
        [Curve(name, [(rank, float(one.subs({**params.sizes, r: rank}))) for rank in ranks]) for name, one in formulas.items()],
        x_label="rank r (log scale)",
        y_label="bytes beside one matrix W (log scale)",
        marked_x=params.rank,
        caption="Bytes of A and B over the rank: they outweigh the codes at a lower rank than W in full precision.",
        alt=f"Bytes against rank for width {params.d_model}: A and B rise in proportion to the rank and reach the bytes of the "
        f"codes at rank {codes} and those of W at rank {full}.",
    )


QUESTION = SelfVerifying(
    title="Low-rank adaptation with LoRA and QLoRA",
    points=18,
    params=LowRankParams,
    solve=solve,
    verify=verify,
    draw=draw,
)
