"""Pictures: a value in, SVG text out; no file is read or written."""
