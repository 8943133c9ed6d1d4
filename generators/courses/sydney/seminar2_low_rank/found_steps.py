"""Finds LoRA's first steps by autograd, their means by every choice of signs, and merging.

From the slides: h = W_0 x + BAx, B = 0 and A normal. The layer and its input are the entry's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING

from generators.cells import Cell
from generators.courses.sydney.seminar2_low_rank.found_matrices import RANKS, SHEET, entries_found, vector_found
from generators.courses.sydney.seminar2_low_rank.params import LowRankPageParams
from generators.found import Found, Proof, Route

if TYPE_CHECKING:
    import torch

    from generators.courses.sydney.seminar2_low_rank.trained_layer import Layer, Seen

SIGNS = Route("every choice of ±σ for A")
AUTOGRAD = Route("torch autograd and SGD, float64", tolerance=1e-9, absolute=1e-9)
PEFT = Route("peft, the scaling of a layer with LoRA", tolerance=1e-12)
BISECTION = Route("bisection on trained steps", tolerance=1e-9)
N_DRAWS = 20_000


def steps_found(params: LowRankPageParams) -> Iterator[Found | Proof]:
    """What is published about the layer, its two steps, other σ, and merging."""
    from generators.courses.sydney.seminar2_low_rank.trained_layer import Layer, scaling_in_peft, tensor, trained

    one, over_rank = params.example, params.conventions.scaling == "alpha_over_rank"
    scale = one.alpha / len(one.draw) if over_rank else one.alpha
    layer = Layer(one.weight, one.draw, one.x, one.target, one.learning_rate, scale)
    yield from SHEET.part("example", "The layer of the first steps")
    yield from SHEET.values("example", n_outputs=len(one.target), n_inputs=len(one.x))
    yield from entries_found(SHEET, "example", "weight", one.weight)
    for key in ("x", "target", "other_x"):
        yield from vector_found(SHEET, "example", key, getattr(one, key))
    yield from SHEET.letters("example", alpha=one.alpha, eta=one.learning_rate, sigma=one.sigma)
    yield from SHEET.letters("example", R=len(one.draw))
    yield from SHEET.letters("example", s=scale)
    if over_rank:
        yield from PEFT.values("example", s=scaling_in_peft(one.alpha, len(one.draw)))
    yield from SHEET.letters("example", X=sum((entry**2 for entry in one.x), Fraction(0)))
    yield from AUTOGRAD.values("example", X=float(tensor([one.x]).square().sum()))
    yield from SHEET.values("example", over_rank=over_rank, not_over_rank=not over_rank)
    states = trained(layer, one.sigma, 2)
    yield from SHEET.part("4", "The first steps")
    yield from _states(states, layer, one.sigma)
    yield from _means(layer, one.sigma)
    yield from _sigmas(layer, sorted({one.sigma, *one.other_sigmas}))
    yield from _curve(layer, one.sigma, states)
    yield from _merging(layer, states[2], one.other_x)


def _states(states: Sequence[Seen], layer: Layer, sigma: Fraction) -> Iterator[Found]:
    """Every state of the two steps."""
    from generators.courses.sydney.seminar2_low_rank.trained_layer import removed, tensor

    first, second, _ = states
    inner = first.a @ tensor([layer.x]).T
    shown = {"a": first.a, "inner_vector": inner, "b_1": second.b}
    for place, one in enumerate(states):
        shown |= {f"h_{place}": one.h.T, f"g_{place}": one.g.T}
    for place, one in enumerate(states[:2]):
        shown |= {f"b_gradient_{place}": one.b_gradient, f"a_gradient_{place}": one.a_gradient}
    for key, found in shown.items():
        yield from entries_found(AUTOGRAD, "4", key, found.tolist())
    yield from AUTOGRAD.values("4", symbols={"inner": r"\lVert Ax \rVert^2"}, inner=float(inner.square().sum()))
    yield from AUTOGRAD.values("4", symbols={"removed": "c"}, removed=removed(layer, sigma))
    moves, goes_on = _differs(second.b, 0 * second.b), _differs(second.a_gradient, 0 * second.a_gradient)
    yield from AUTOGRAD.values("4", goes_on=goes_on, met=moves and not goes_on, stuck=not moves)
    rows = {
        f"after_{place}": {
            "steps_done": place, "loss": one.loss, "a_squared": float(one.a_gradient.square().sum()),
            "b_squared": float(one.b_gradient.square().sum()),
        }
        for place, one in enumerate(states)
    }  # fmt: skip
    yield from AUTOGRAD.table("4", "steps", rows, headings={"a_squared": "‖dL/dA‖²", "b_squared": "‖dL/dB‖²"})


def _differs(one: torch.Tensor, other: torch.Tensor) -> bool:
    return float((one - other).abs().max()) > 1e-12


def _mean_inner(rank: int, sigma: Fraction, x: Sequence[Fraction]) -> Fraction:
    """The mean of ‖Ax‖² over all A of ±σ: these have the variance σ² too, and the mean depends on nothing else."""
    each = [sum((sign * sigma * value for sign, value in zip(signs, x, strict=True)), Fraction(0))
            for signs in product((-1, 1), repeat=len(x))]  # fmt: skip
    return rank * sum((value * value for value in each), Fraction(0)) / len(each)


def _mean_ratio(layer: Layer, sigma: Fraction) -> Fraction:
    """The mean of sBAx over what full fine-tuning changes, −ηs²‖Ax‖²g over −η‖x‖²g."""
    return layer.scale**2 * _mean_inner(len(layer.draw), sigma, layer.x) / sum(value * value for value in layer.x)


def _means(layer: Layer, sigma: Fraction) -> Iterator[Found | Proof]:
    from generators.courses.sydney.seminar2_low_rank.trained_layer import drawn_ratio

    rank = len(layer.draw)
    inner, ratio = _mean_inner(rank, sigma, layer.x), _mean_ratio(layer, sigma)
    symbols = {
        "expected_inner": r"\mathbb{E}\lVert Ax \rVert^2", "expected_shrinking": r"\mathbb{E}[c]", "expected_ratio": r"\rho",
        "matched": r"\sigma^2_{\text{equal}}",
    }  # fmt: skip
    yield from SIGNS.values(
        "4", symbols=symbols, expected_inner=inner, expected_shrinking=layer.learning_rate * layer.scale**2 * inner,
        expected_ratio=ratio, matched=1 / _mean_ratio(layer, Fraction(1)),
    )  # fmt: skip
    errors = Route("torch.randn, within five standard errors", tolerance=5 * (2 / rank / N_DRAWS) ** 0.5)
    simulated = float(layer.scale * sigma) ** 2 * drawn_ratio(rank, layer.x, N_DRAWS)
    yield from errors.proof(f"4: the mean ratio over {N_DRAWS} normal draws of A", abs(simulated / float(ratio) - 1))


def _sigmas(layer: Layer, sigmas: Sequence[Fraction]) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_low_rank.trained_layer import removed, trained

    rows: dict[str, dict[str, Cell]] = {}
    for place, sigma in enumerate(sigmas, 1):
        gone, ratio = removed(layer, sigma), _mean_ratio(layer, sigma)
        loss = trained(layer, sigma, 1)[1].loss
        rows[f"sigma_{place}"] = {"sigma": sigma, "ratio": ratio, "removed": gone, "left": 1 - gone, "loss": loss}
    headings = {"sigma": "σ", "ratio": "Mean ratio ρ", "removed": "c", "left": "1 − c", "loss": "Loss after one step"}
    yield from AUTOGRAD.table("4", "sigmas", rows, headings=headings)


def _curve(layer: Layer, sigma: Fraction, states: Sequence[Seen]) -> Iterator[Found]:
    """Where g changes its sign and where it is as long as before; and the losses of 49 steps up to a little beyond."""
    import numpy as np

    from generators.courses.sydney.seminar2_low_rank.trained_layer import trained

    first = states[0].g
    moves = _differs(first, states[1].g)
    yield from AUTOGRAD.values("4", loss_moves=moves)

    def left(at: float) -> float:
        return float((trained(layer, at, 1)[1].g * first).sum() / first.square().sum())

    back = 0.0
    if moves:
        least, back = _crossing(left, 0.0), _crossing(left, -1.0)
        yield from BISECTION.values("4", least_at=least, back_at=back)
    places = np.linspace(0, 1.15 * max(back, float(sigma)), 49).tolist()
    rows = {f"point_{i}": {"sigma": at, "loss": trained(layer, at, 1)[1].loss} for i, at in enumerate(places)}
    yield from AUTOGRAD.table("4", "curve", rows, headings={"sigma": "σ"})


def _crossing(falling: Callable[[float], float], level: float) -> float:
    low, high = 0.0, 1.0
    while falling(high) > level:
        high *= 2
    while high - low > 1e-11 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > level else (low, middle)
    return high


def _merging(layer: Layer, last: Seen, other_x: Sequence[Fraction]) -> Iterator[Found]:
    import torch

    from generators.courses.sydney.seminar2_low_rank.trained_layer import tensor

    yield from SHEET.part("5", "Merging")
    weight, update = tensor(layer.weight), float(layer.scale) * last.b @ last.a
    for name, found in {"a": last.a, "b": last.b, "update": update, "merged": weight + update}.items():
        yield from entries_found(AUTOGRAD, "5", name, found.tolist())
    rank = int(torch.linalg.matrix_rank(update, atol=1e-9 * max(1.0, float(update.abs().max()))))
    yield from RANKS.values("5", symbols={"rank": r"\text{rank}(sBA)"}, rank=rank)
    rows: dict[str, dict[str, Cell]] = {}
    for key, name, inputs in (("x", "x", layer.x), ("other_x", "x′", other_x)):
        x = tensor([inputs])
        apart = x @ weight.T + float(layer.scale) * (x @ last.a.T) @ last.b.T
        columns = zip(*(one.flatten().tolist() for one in (x @ weight.T, apart, x @ (weight + update).T)), strict=True)
        for i, (alone, both, merged) in enumerate(columns, 1):
            rows[f"{key}_{i}"] = {"output": f"{name}, entry {i}", "alone": alone, "apart": both, "merged": merged}
    headings = {"output": "Output for", "alone": "Wx", "apart": "Wx + sBAx", "merged": "W′x"}
    yield from AUTOGRAD.table("5", "outputs", rows, headings=headings)
