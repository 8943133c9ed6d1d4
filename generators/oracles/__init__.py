"""Independent routes to published numbers; nothing here imports `generators.topics`."""
