"""Digests of files and of plain values, by which a build knows what changed."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from generators.pipeline.catalog import shown


def digests(paths: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of each file by its path in the project; a file that is gone has the digest ''."""
    return {shown(path): digest_of_file(path) for path in paths}


@cache
def digest_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, read once a run; '' if there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def digest_of(content: Any) -> str:
    """SHA-256 of plain values or text, together with the Python version."""
    text = json.dumps([content, sys.version_info[:3]], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
