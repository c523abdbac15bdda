"""A run: what it computes (`plan`), block by block (`block`, `pipeline`), from a source to a sink (`execute`)."""
