"""The PDFs that are handed in."""
