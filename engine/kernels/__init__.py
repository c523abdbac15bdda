"""The public kernels: plain arrays in, plain arrays out; they know nothing of tables, files or risks."""

from __future__ import annotations
