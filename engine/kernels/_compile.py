"""The only place that chooses compiler flags: decorators, each with its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def kernel(func: Callable[P, R]) -> Callable[P, R]:
    """Compile a loop over cells; the first call pays, so jobs call `kernels.warm_up()` first.

    Threads only ever split cells: the bytes of a result depend neither on their number nor on the blocks.
    A parallel kernel must never run in two threads at once (numba's default thread layer aborts the process).
    """
    # fastmath off: NaN means "missing" here, and fast-math lets the compiler delete isnan().
    # cache off: a disk cache shared by processes that start together loses entries or crashes.
    return cast("Callable[P, R]", numba.njit(parallel=True, fastmath=False, cache=False, error_model="numpy")(func))


def helper(func: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that kernels call for one cell, or a serial loop that releases the GIL."""
    return cast("Callable[P, R]", numba.njit(fastmath=False, cache=False, error_model="numpy", nogil=True)(func))
