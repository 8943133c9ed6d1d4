"""Shows what a change does while files are edited."""
