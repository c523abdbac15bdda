"""The only place that chooses compiler flags: five decorators, each with its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba

from engine.kernels import _cache

P = ParamSpec("P")
R = TypeVar("R")


def kernel(func: Callable[P, R]) -> Callable[P, R]:
    """Compile a loop over cells; the first call pays, so jobs call `kernels.warm_up()` first.

    Threads only ever split cells: the bytes of a result depend neither on their number nor on the blocks.
    A parallel kernel must never run in two threads at once (numba's default thread layer aborts the process).
    """
    return _compiled(func, parallel=True, fastmath=False)


def helper(func: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that kernels call for one cell, or a serial loop that releases the GIL."""
    return _compiled(func, fastmath=False, _nrt=True)


def light(func: Callable[P, R]) -> Callable[P, R]:
    """Compile a `helper` that makes no array itself.

    numba counts the references of arrays that are taken out of tuples or cut into rows, by atomic operations: a third
    of the time of a cell of 80 samples. Without its memory manager it does not count, and refuses to make an array.
    """
    return _compiled(func, fastmath=False, _nrt=False)


def arithmetic(func: Callable[P, R]) -> Callable[P, R]:
    """Compile a plain sum over the samples of one cell, free of branches, so that it can use vector instructions."""
    # reassoc: without it a sum has one order, the written one, and the loop stays scalar (7 times slower here).
    # contract: a * b + c in one rounding instead of two (1.5 times faster).
    # Neither lets the compiler assume that NaN or inf cannot occur, as full fast-math does, and neither looks at
    # the data: the order of a sum depends on its length only, so neither threads nor blocks move a byte.
    # Another processor may choose another order: expect 1e-15 between machines, not identity.
    return _compiled(func, fastmath={"contract", "reassoc"}, _nrt=False)


def comparison(func: Callable[P, R]) -> Callable[P, R]:
    """Compile a loop for the least or largest of values of which none is NaN, so that it can use vector instructions.

    Rounds nothing; of -0.0 and 0.0, which are equal, it may find either.
    """
    return _compiled(func, fastmath={"nnan", "nsz"}, _nrt=False)


def _compiled(func: Callable[P, R], **flags: Any) -> Callable[P, R]:
    # fastmath off in kernels: NaN means "missing" here, and fast-math lets the compiler delete isnan().
    # nogil: the thread that reads the next block goes on meanwhile.
    # cache: ours, not numba's, which looks at the file of the outermost function only, and whose index loses
    # entries when processes start together.
    compiled = numba.njit(cache=False, error_model="numpy", nogil=True, **flags)(func)
    _cache.keep(compiled)
    return cast("Callable[P, R]", compiled)
