"""Finds LoRA's first steps by autograd, their means by training from every choice of signs, and merging.

From the slides: h = W_0 x + BAx, B = 0 and A normal. The layer and its input are the entry's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import torch

from generators.courses.sydney.seminar2_low_rank.found_matrices import SHEET, entries_found
from generators.courses.sydney.seminar2_low_rank.params import Example, LowRankPageParams
from generators.courses.sydney.seminar2_low_rank.trained_layer import Layer, Seen, scaling_in_peft, tensor
from generators.found import Found, Route

AUTOGRAD = Route("torch autograd and SGD, float64", tolerance=1e-9, absolute=1e-9)
SIGNS = Route("one step of LoRA and of full fine-tuning from every choice of ±σ for A", tolerance=1e-9)
PEFT = Route("peft, the scaling of a layer with LoRA", tolerance=1e-12)
PARABOLA = Route("the parabola through trained steps at three σ", tolerance=1e-9)
RANKS = Route("torch.linalg.matrix_rank")


def steps_found(params: LowRankPageParams) -> Iterator[Found]:
    """What is published about the layer, its two steps, other σ, and merging."""
    one, over_rank = params.example, params.conventions.scaling == "alpha_over_rank"
    scale = one.alpha / len(one.draw) if over_rank else one.alpha
    layer = Layer(tensor(one.weight), tensor([one.x]), tensor([one.target]), float(one.learning_rate), float(scale))
    yield from SHEET.part("example", "The layer of the first steps")
    yield from SHEET.values("example", n_outputs=len(one.target), n_inputs=len(one.x))
    yield from entries_found(SHEET, "example", "weight", one.weight)
    for key in ("x", "target", "other_x"):
        yield from entries_found(SHEET, "example", key, [[value] for value in getattr(one, key)])
    yield from SHEET.letters("example", alpha=one.alpha, eta=one.learning_rate, sigma=one.sigma, R=len(one.draw), s=scale)
    if over_rank:
        yield from PEFT.values("example", s=scaling_in_peft(one.alpha, len(one.draw)))
    yield from SHEET.letters("example", X=sum((entry**2 for entry in one.x), Fraction(0)))
    yield from SHEET.values("example", over_rank=over_rank, not_over_rank=not over_rank)
    yield from SHEET.part("4", "The first steps")
    states = [Seen(*(field[0] for field in state)) for state in layer.trained(float(one.sigma) * tensor(one.draw)[None], 2)]
    yield from _states(states, layer)
    yield from _means(layer, one)
    yield from _sigmas(layer, one)
    yield from _curve(layer, one, moves=_differs(states[0].g, states[1].g))
    yield from _merging(layer, states[2], one.other_x)


def _states(states: Sequence[Seen], layer: Layer) -> Iterator[Found]:
    """Every state of the two steps."""
    first, second, _ = states
    inner = first.a @ layer.x.T
    shown = {"a": first.a, "inner_vector": inner, "b_1": second.b}
    for place, one in enumerate(states):
        shown |= {f"h_{place}": one.h.T, f"g_{place}": one.g.T}
    for place, one in enumerate(states[:2]):
        shown |= {f"b_gradient_{place}": one.b_gradient, f"a_gradient_{place}": one.a_gradient}
    for key, found in shown.items():
        yield from entries_found(AUTOGRAD, "4", key, found.tolist())
    yield from AUTOGRAD.values("4", symbols={"inner": r"\lVert Ax \rVert^2"}, inner=float(inner.square().sum()))
    yield from AUTOGRAD.values("4", symbols={"removed": "c"}, removed=float(_removed(layer, first.a[None])[0]))
    moves, goes_on = bool(second.b.any()), _differs(second.a_gradient, torch.zeros(()))
    yield from AUTOGRAD.values("4", goes_on=goes_on, met=moves and not goes_on, stuck=not moves)
    rows = {
        f"after_{place}": (place, *(float(part.square().sum()) for part in (one.loss.sqrt(), one.a_gradient, one.b_gradient)))
        for place, one in enumerate(states)
    }
    columns, headings = ("steps_done", "loss", "a_squared", "b_squared"), {"a_squared": "‖dL/dA‖²", "b_squared": "‖dL/dB‖²"}
    yield from AUTOGRAD.table("4", "steps", rows, headings=headings, columns=columns)


def _differs(one: torch.Tensor, other: torch.Tensor) -> bool:
    return float((one - other).abs().max()) > 1e-12


def _removed(layer: Layer, first_a: torch.Tensor) -> torch.Tensor:
    """The c of h ← h − c·g for every A, where g is 1 in every entry."""
    return -layer.changes(first_a)[0].mean(1)


def _signs(one: Example, sigma: Fraction) -> torch.Tensor:
    """Every choice of signs for a row, in all rows of A at once: entries of ±σ have the mean 0 and the variance σ² too."""
    rows = torch.tensor(list(product((-1.0, 1.0), repeat=len(one.x))), dtype=torch.float64)
    return float(sigma) * rows[:, None].expand(-1, len(one.draw), -1)


def _mean_ratio(layer: Layer, one: Example, sigma: Fraction) -> float:
    """The mean first change of h over that of full fine-tuning."""
    low_rank, full = layer.changes(_signs(one, sigma))
    return float((low_rank / full).mean())


def _means(layer: Layer, one: Example) -> Iterator[Found]:
    signs = _signs(one, one.sigma)
    found = {
        "expected_inner": (signs @ layer.x.T).square().sum((1, 2)).mean().item(),
        "expected_shrinking": _removed(layer, signs).mean().item(),
        "expected_ratio": _mean_ratio(layer, one, one.sigma),
        "matched": 1 / _mean_ratio(layer, one, Fraction(1)),
    }
    symbols = (r"\mathbb{E}\lVert Ax \rVert^2", r"\mathbb{E}[c]", r"\rho", r"\sigma^2_{\text{equal}}")
    yield from SIGNS.values("4", found, symbols=dict(zip(found, symbols, strict=True)))


def _losses(layer: Layer, one: Example, sigmas: Sequence[float]) -> list[float]:
    """After one step from A = σ·draw."""
    first_a = torch.tensor(sigmas, dtype=torch.float64)[:, None, None] * tensor(one.draw)
    losses: list[float] = layer.trained(first_a, 1)[1].loss.tolist()
    return losses


def _sigmas(layer: Layer, one: Example) -> Iterator[Found]:
    sigmas = sorted({one.sigma, *one.other_sigmas})
    gone = [_removed(layer, float(sigma) * tensor(one.draw)[None]).item() for sigma in sigmas]
    losses, ratios = _losses(layer, one, list(map(float, sigmas))), [_mean_ratio(layer, one, sigma) for sigma in sigmas]
    cells = zip(sigmas, ratios, gone, (1 - removed for removed in gone), losses, strict=True)
    rows = {f"sigma_{place}": row for place, row in enumerate(cells, 1)}
    headings = {"sigma": "σ", "ratio": "Mean ratio ρ", "removed": "c", "left": "1 − c", "loss": "Loss after one step"}
    yield from AUTOGRAD.table("4", "sigmas", rows, headings=headings, columns=tuple(headings))


def _curve(layer: Layer, one: Example, *, moves: bool) -> Iterator[Found]:
    """Where g changes its sign and where it is as long as before; and the losses of 49 steps up to a little beyond."""
    import numpy as np

    yield from AUTOGRAD.values("4", loss_moves=moves)
    back = 0.0
    if moves:
        steps = torch.stack([place * tensor(one.draw) for place in (0, 1, 2)])
        parabola = np.polyfit([0, 1, 2], (1 - _removed(layer, steps)).numpy(), 2)
        least, back = (float(np.roots(parabola - [0, 0, level]).real.max()) for level in (0, -1))
        yield from PARABOLA.values("4", least_at=least, back_at=back)
    places = np.linspace(0, 1.15 * max(back, float(one.sigma)), 49).tolist()
    rows = {f"point_{i}": cells for i, cells in enumerate(zip(places, _losses(layer, one, places), strict=True))}
    yield from AUTOGRAD.table("4", "curve", rows, headings={"sigma": "σ"}, columns=("sigma", "loss"))


def _merging(layer: Layer, last: Seen, other_x: Sequence[Fraction]) -> Iterator[Found]:
    yield from SHEET.part("5", "Merging")
    update = layer.scale * last.b @ last.a
    for name, found in {"a": last.a, "b": last.b, "update": update, "merged": layer.weight + update}.items():
        yield from entries_found(AUTOGRAD, "5", name, found.tolist())
    rank = int(torch.linalg.matrix_rank(update, atol=1e-9 * max(1.0, float(update.abs().max()))))
    yield from RANKS.values("5", symbols={"rank": r"\text{rank}(sBA)"}, rank=rank)
    rows: dict[str, tuple[Any, ...]] = {}
    for key, name, x in (("x", "x", layer.x), ("other_x", "x′", tensor([other_x]))):
        alone = x @ layer.weight.T
        outputs = torch.cat([alone, alone + layer.scale * (x @ last.a.T) @ last.b.T, x @ (layer.weight + update).T])
        rows |= {f"{key}_{i}": (f"{name}, entry {i}", *row) for i, row in enumerate(outputs.T.tolist(), 1)}
    headings = {"output": "Output for", "alone": "Wx", "apart": "Wx + sBAx", "merged": "W′x"}
    yield from AUTOGRAD.table("5", "outputs", rows, headings=headings, columns=tuple(headings))
