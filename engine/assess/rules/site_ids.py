"""The UUID of every asset: its own, or version 5 in the DNS namespace of its place or of its row's id.

The name of a place, `site:{lat:.6f}:{lon:.6f}`, is at most 28 bytes, so with the namespace it fits one block of SHA-1
and all sites go through the 80 rounds together (RFC 3174, RFC 4122 section 4.3). Ids of the caller have any length and
are hashed one by one.
"""

from __future__ import annotations

import hashlib
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
#: in lower case
_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
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


def assign(own: pl.Series, latitude: pl.Series, longitude: pl.Series, portfolio: str | None) -> pl.Series:
    """One UUID an asset, the same whenever the same rows come again.

    own       : (n,) the caller's ids, any text; null where there is none
    latitude, longitude : (n,) degrees, six decimals; null where not valid
    portfolio : name of the portfolio that the rows make up; None: every row is a request of its own, and two of them
                may be about one asset
    returns   : (n,) lower-case. A UUID that is given is itself; the first row at a place without an id has that of
                `derive`; any other has version 5 of `asset:{portfolio}:{id or lat:lon}:{k}`, k its occurrence among the
                rows. Null without an id and a place
    """
    alone, name = portfolio is None, portfolio or ""
    rows = pl.DataFrame({"own": own, "lat": latitude, "lon": longitude}).select(
        pl.col("own").str.normalize("NFC").str.strip_chars(),
        place=pl.concat_str(degrees_text(pl.col("lat")), pl.lit(":"), degrees_text(pl.col("lon"))),
        here=pl.lit(derive(latitude, longitude)),
    )
    uuid_text, without = pl.col("own").str.to_lowercase(), pl.when(pl.col("own").is_null()).then("place")
    rows = rows.with_columns(key=pl.coalesce("own", "place")).with_columns(
        k=pl.lit(1) if alone else pl.col("key").cum_count().over("key"),
        id=pl.when(uuid_text.str.contains(_UUID))
        .then(uuid_text)
        .when(without.is_not_null() & (pl.lit(alone) | without.is_first_distinct()))
        .then("here"),
    )
    rows = _named(rows, pl.col("id").is_null() & pl.col("key").is_not_null(), name)
    # a UUID that comes again, or that another row was given: the later row takes another name
    while not alone and (again := rows["id"].is_not_null() & ~rows["id"].is_first_distinct()).any():
        rows = rows.with_columns(key="id", k=pl.col("id").cum_count().over("id"), again=again)
        rows = _named(rows, pl.col("again"), name)
    return rows["id"]


def _named(rows: pl.DataFrame, where: pl.Expr, portfolio: str) -> pl.DataFrame:
    """`id` of some rows from their `key` and `k`; in this one place a loop over rows, a microsecond each."""
    chosen = rows.select(where).to_series()
    names = rows.filter(chosen).select(
        pl.concat_str(pl.lit(f"asset:{portfolio}:"), "key", pl.lit(":"), pl.col("k").cast(pl.String))
    )
    if names.is_empty():
        return rows
    space = uuid.NAMESPACE_DNS.bytes
    digests = b"".join(hashlib.sha1(space + text.encode()).digest()[:16] for text in names.to_series())  # noqa: S324
    made = _written(np.frombuffer(digests, np.uint8).reshape(-1, 16).copy())
    return rows.with_columns(id=pl.Series("id", rows["id"]).scatter(chosen.arg_true(), made))


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
    return _written(digest)


def _written(digest: NDArray[np.uint8]) -> pl.Series:
    """(n, 16) first bytes of SHA-1 as UUIDs of version 5."""
    n = len(digest)
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
