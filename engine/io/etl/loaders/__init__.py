"""The loaders: one module a source of data, with the readers of its formats beside it."""
