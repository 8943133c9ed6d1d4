"""Where the nodes of a picture stand."""

from __future__ import annotations

from generators.pipeline.places import places


def test_places_are_in_per_cent_of_the_picture() -> None:
    """The view begins at (10, 20) and is 200 by 100 large; the group moves its nodes by (30, 40)."""
    svg = (
        '<svg viewBox="10 20 200 100" xmlns="http://www.w3.org/2000/svg"><g transform="scale(1 1) translate(30 40)">'
        '<g class="node"><title>a</title><path d="M0,-10C5,-10 20,-10 20,0"/><text>one</text><text>.5</text></g></g>'
        '<g><g class="node"><title>b</title><path d="M10 20L210 30"/><path d="M110 20L120 120"/></g><g class="edge"/></g></svg>'
    )
    # a: x from 0 + 30 - 10 = 20, which is 10 % of 200, y from -10 + 40 - 20 = 10, which is 10 % of 100; 20 by 10 large.
    assert places(svg) == {"a": ["one .5", [10, 10, 10, 10]], "b": ["", [0, 0, 100, 10], [50, 0, 5, 100]]}
