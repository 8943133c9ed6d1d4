"""Every product as it was timed, beside the rates of a large copy and a large square product on the same device."""

from __future__ import annotations

from generators.answer import Part, claim, number, part
from generators.cells import significant
from generators.recording import Recording
from generators.table import column, table
from generators.topics.measured import ELEMENT_BYTES, machine

NAMES = {"projection": "projections", "score": "QKᵀ", "weighting": "score·V", "up": "FFN up", "down": "FFN down"}
TITLES = {"cuda": "Every product timed on a GPU", "cpu": "Every product timed on a processor"}


def measured(kind: str, recording: Recording) -> Part:
    """Each product's median time, its rate, and its share of the roofline that copy and square product make."""
    copy, square = recording.one("seconds", ceiling="copy"), recording.one("seconds", ceiling="matrix product")
    bandwidth, rate = float(copy.at["bytes"]) / copy.median, float(square.at["flops"]) / square.median
    made, rows = recording.parameters, dict[str, tuple[str, float, float, float]]()
    for one in recording.find("seconds"):
        if "product" in one.at:
            phase, product, (batch, m, k, n) = (
                one.at["phase"],
                str(one.at["product"]),
                (int(one.at[key]) for key in ("batch", "m", "k", "n")),
            )
            flops, moved = 2 * m * k * n * batch, ELEMENT_BYTES[made["dtype"]] * (m * k + k * n + m * n) * batch
            share = max(flops / rate, moved / bandwidth) / one.median
            numbers = map(significant, (100 * share, 1e6 * one.median, flops / one.median / 1e12))
            rows[f"{phase}.{product}"] = (f"{phase}: {NAMES[product]}", *numbers)  # type: ignore[assignment]
    columns = [column("share", "Share of the roofline", "%"), column("median", unit="µs"), column("rate", unit="TFLOP/s")]
    return part(
        f"measured_{kind}",
        TITLES[kind],
        *machine(recording),
        *(number(key, made[key]) for key in ("seq_len", "d_model", "n_heads")),
        number("bandwidth", significant(bandwidth / 1e9), unit="GB/s"),
        number("rate", significant(rate / 1e12), unit="TFLOP/s"),
        number("spread", significant(_farthest(recording)), "farthest quartile from its median", unit="%"),
        claim("beyond", any(share > 100 for _, share, _, _ in rows.values()), "a product was faster than its roofline"),
        table("products", ["product", *columns], rows),
    )


def _farthest(recording: Recording) -> float:
    """Percent of the median by which the farthest quartile of all series is off."""
    return max(100 * abs(quartile / one.median - 1) for one in recording.find("seconds") for quartile in one.spread)
