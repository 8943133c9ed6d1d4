"""Labels and units of pictures go with the columns that they draw."""

from __future__ import annotations

import pytest

from generators.answer import part
from generators.figures.series import axis_label
from generators.table import column, table


def test_an_axis_takes_label_and_unit_from_its_columns() -> None:
    """Two units on one axis are refused, and so are several columns without a name."""
    made = part(
        "1", "One", table("t", [column("launch_time", unit="ms"), column("other", unit="ms"), column("size", unit="B")], {})
    )
    launch, other, size = (made["t"][key] for key in ("launch_time", "other", "size"))
    assert axis_label([launch]) == "launch time, ms"
    assert axis_label([launch, other], "time") == "time, ms"
    with pytest.raises(ValueError, match=r"one axis must have one unit \(got ms, B\)"):
        axis_label([launch, size], "both")
    with pytest.raises(ValueError, match="several columns on one axis need a name"):
        axis_label([launch, other])
