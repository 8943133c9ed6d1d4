"""Mathematics that questions share; nothing here imports torch or `generators.oracles`."""
