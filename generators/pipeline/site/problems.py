"""What mkdocs warns of."""

from __future__ import annotations

import logging


class Problems(logging.Handler):
    """Keeps the first warning or error that mkdocs gives, for the one line a user sees."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.first = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging."""
        self.first = self.first or " ".join(record.getMessage().split())
