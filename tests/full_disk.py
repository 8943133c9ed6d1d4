"""A command that imports this first works on a full disk: a write below its folder fails.

FAILING_WRITE counts from 0. The file that is opened for it takes half of what is written, as on a full disk; with FAULT=EROFS
it cannot be opened, as in a folder that is read-only. WRITES names a file that is given a line for each write.
"""

import builtins
import errno
import io
import itertools
import os
from pathlib import Path
from typing import Any

_open, _writes = builtins.open, itertools.count()
_failing, _fault = int(os.environ.get("FAILING_WRITE", "-1")), os.environ.get("FAULT", "ENOSPC")
_list = os.environ.get("WRITES", "")


class _Full:
    """A file on a full disk."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, content: Any) -> None:
        self._file.write(content[: len(content) // 2])
        self._file.flush()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fileno(self) -> int:
        raise io.UnsupportedOperation  # so that copies are written, too

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _counting(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
    if not (set(mode) & set("wax+")) or not isinstance(file, str | Path) or Path.cwd() not in Path(file).absolute().parents:
        return _open(file, mode, *arguments, **options)
    place = next(_writes)
    if place == _failing and _fault != "ENOSPC":
        raise OSError(getattr(errno, _fault), os.strerror(getattr(errno, _fault)), str(file))
    opened = _open(file, mode, *arguments, **options)
    if _list:
        with _open(_list, "a") as lines:
            lines.write(f"{os.getpid()} {file}\n")
    return _Full(opened) if place == _failing else opened


builtins.open = io.open = _counting
