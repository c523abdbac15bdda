"""A run: its plan, its blocks, and the way from a source to a sink (docs/architecture.md names the modules)."""
