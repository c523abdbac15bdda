"""Site ids of places without one: UUID version 5 of `site:{lat:.6f}:{lon:.6f}` in the DNS namespace, column-wise.

The name is at most 28 bytes, so with the namespace it fits one block of SHA-1 and all sites go through the 80 rounds
together (RFC 3174, RFC 4122 section 4.3).
"""

from __future__ import annotations

import uuid

import numpy as np
import polars as pl
from numpy.typing import NDArray

Words = NDArray[np.uint32]

_NAMESPACE = np.frombuffer(uuid.NAMESPACE_DNS.bytes, np.uint8)
_START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)
_CONSTANTS = (0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6)
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
#: sites at a time, so that their 80 words stay in the processor's cache
_PART = 4096
#: where the 32 hex digits of a UUID stand among its 36 characters
_DIGITS = np.array([i for i in range(36) if i not in (8, 13, 18, 23)])


def degrees_text(degrees: pl.Expr) -> pl.Expr:
    """Degrees with exactly six decimals, as `f"{x:.6f}"`; never `-0.000000`."""
    millionths = (degrees * 1e6).round(mode="half_to_even").cast(pl.Int64)
    size = millionths.abs()
    sign = pl.when(millionths < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    return pl.concat_str(
        sign, (size // 1_000_000).cast(pl.String), pl.lit("."), (size % 1_000_000).cast(pl.String).str.zfill(6)
    )


def derive(latitude: pl.Series, longitude: pl.Series) -> pl.Series:
    """Ids of places; (n,) degrees, null where either is null.

    returns : (n,) text, lower-case, the same as `uuid.uuid5(uuid.NAMESPACE_DNS, "site:37.566500:126.978000")`
    """
    places = pl.DataFrame({"lat": latitude, "lon": longitude})
    names = places.select(
        pl.concat_str(pl.lit("site:"), degrees_text(pl.col("lat")), pl.lit(":"), degrees_text(pl.col("lon")))
    ).to_series()
    known = names.is_not_null()
    ids = pl.Series(_uuid5(names.drop_nulls()), dtype=pl.String)
    place = pl.Series(np.where(known, known.cum_sum().cast(pl.Int64) - 1, 0))
    return ids.gather(place).set(~known, None) if len(ids) else pl.Series([None] * len(names), dtype=pl.String)


def _uuid5(names: pl.Series) -> pl.Series:
    n = len(names)
    if not n:
        return pl.Series([], dtype=pl.String)
    lengths = names.str.len_bytes().to_numpy().astype(np.int64)
    text = np.frombuffer(names.str.pad_end(40, "\0").str.join("").item().encode(), np.uint8).reshape(n, 40)
    block = np.zeros((n, 64), np.uint8)
    block[:, :16] = _NAMESPACE
    block[:, 16:56] = text
    block[np.arange(n), 16 + lengths] = 0x80
    bits = (16 + lengths) * 8  # below 65,536
    block[:, 62], block[:, 63] = bits >> 8, bits & 0xFF
    words = block.view(">u4").astype(np.uint32).T
    digest = np.concatenate([_sha1(words[:, start : start + _PART]) for start in range(0, n, _PART)])[:, :16]
    digest[:, 6] = digest[:, 6] & 0x0F | 0x50
    digest[:, 8] = digest[:, 8] & 0x3F | 0x80
    out = np.full((n, 37), ord("-"), np.uint8)
    out[:, _DIGITS[0::2]], out[:, _DIGITS[1::2]] = _HEX[digest >> 4], _HEX[digest & 0x0F]
    out[:, 36] = ord("\n")
    return pl.Series([out.tobytes()[:-1].decode("ascii")]).str.split("\n").explode()


def _sha1(words: Words) -> NDArray[np.uint8]:
    """Digests of one-block messages. words : (16, n) big-endian words of the padded blocks; returns (n, 20)."""
    schedule = list(words)
    for t in range(16, 80):
        schedule.append(_left(schedule[t - 3] ^ schedule[t - 8] ^ schedule[t - 14] ^ schedule[t - 16], 1))
    a, b, c, d, e = (np.full(words.shape[1], value, np.uint32) for value in _START)
    for t, word in enumerate(schedule):
        mixed = d ^ (b & (c ^ d)) if t < 20 else (b & c) | (d & (b | c)) if 40 <= t < 60 else b ^ c ^ d
        a, b, c, d, e = _left(a, 5) + mixed + e + np.uint32(_CONSTANTS[t // 20]) + word, a, _left(b, 30), c, d
    state = np.stack([x + np.uint32(start) for x, start in zip((a, b, c, d, e), _START, strict=True)], axis=1)
    return state.astype(">u4").view(np.uint8)


def _left(x: Words, bits: int) -> Words:
    return x << np.uint32(bits) | x >> np.uint32(32 - bits)
