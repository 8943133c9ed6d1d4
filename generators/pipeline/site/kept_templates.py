"""Keeps the theme's templates as compiled: compiling them takes half of mkdocs' time when a word changed."""

from __future__ import annotations

import hashlib

from jinja2.bccache import Bucket, BytecodeCache

from generators.pipeline.files import write_whole
from generators.pipeline.kept import BUILD

_KEPT = BUILD / "theme"


class KeptTemplates(BytecodeCache):
    """A file a template, with a digest of its content: damaged code would run."""

    def load_bytecode(self, bucket: Bucket) -> None:
        """Called by jinja, which compiles a template that this leaves empty."""
        path = _KEPT / bucket.key
        content = path.read_bytes() if path.is_file() else b""
        if content[:32] == hashlib.sha256(content[32:]).digest():
            bucket.bytecode_from_string(content[32:])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Called by jinja with what it compiled."""
        content = bucket.bytecode_to_string()
        write_whole(_KEPT / bucket.key, hashlib.sha256(content).digest() + content)
