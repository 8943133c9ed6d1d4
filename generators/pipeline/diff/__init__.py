"""What changed between two states of the answers."""
