"""Ways in which files go wrong: in copying, in other programs, in hands. Each takes a file's bytes and a generator."""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
import zipfile
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

Random = np.random.Generator
Change = Callable[[bytes, Random], bytes]

_TEXTS = (".csv", ".txt", ".json", ".geojson", ".toml", ".asc", ".prj")
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_ODD = (
    b"1e308", b"-1e308", b"NaN", b"Infinity", b"-1", b"0", b"99999999999999999999", b"1" * 5000, b"", b" ", b"null",
    b"-9999", b"1,5", b"1e", "１２".encode(), b"\\ud800", b"\x00", b'"', "한글".encode(),
)  # fmt: skip
_ODD_VALUES: tuple[Any, ...] = (
    None, "", [], {}, [[]], "x", -1, 10**30, 1e308, True, {"a": 1}, "\ud800", "a\u0000b", "9" * 5000, "NaN", [None],
)  # fmt: skip


def _span(raw: bytes, rng: Random, most: int = 4096) -> tuple[int, int]:
    length = int(rng.integers(1, max(2, min(most, len(raw) // 2 + 1))))
    start = int(rng.integers(0, max(1, len(raw) - length)))
    return start, start + length


def _flip(raw: bytes, rng: Random, bits: int) -> bytes:
    held = bytearray(raw)
    for _ in range(bits if held else 0):
        held[int(rng.integers(len(held)))] ^= 1 << int(rng.integers(8))
    return bytes(held)


def flip_a_bit(raw: bytes, rng: Random) -> bytes:
    return _flip(raw, rng, 1)


def flip_bits(raw: bytes, rng: Random) -> bytes:
    return _flip(raw, rng, int(rng.integers(2, 64)))


def flip_in_the_head(raw: bytes, rng: Random) -> bytes:
    return _flip(raw[:512], rng, int(rng.integers(1, 4))) + raw[512:]


def cut(raw: bytes, rng: Random) -> bytes:
    return raw[: int(rng.integers(0, max(1, len(raw))))]


def cut_the_end(raw: bytes, rng: Random) -> bytes:
    return raw[: -int(rng.integers(1, max(2, min(64, len(raw)))))]


def cut_the_beginning(raw: bytes, rng: Random) -> bytes:
    return raw[int(rng.integers(1, max(2, min(512, len(raw))))) :]


def zero_a_block(raw: bytes, rng: Random) -> bytes:
    start, end = _span(raw, rng)
    return raw[:start] + bytes(end - start) + raw[end:]


def lose_a_block(raw: bytes, rng: Random) -> bytes:
    start, end = _span(raw, rng)
    return raw[:start] + raw[end:]


def insert_noise(raw: bytes, rng: Random) -> bytes:
    start, end = _span(raw, rng, 512)
    return raw[:start] + rng.bytes(end - start) + raw[start:]


def repeat_a_block(raw: bytes, rng: Random) -> bytes:
    start, end = _span(raw, rng)
    return raw[:end] + raw[start:end] + raw[end:]


def swap_blocks(raw: bytes, rng: Random) -> bytes:
    size = int(rng.integers(1, max(2, min(2048, len(raw) // 2))))
    first = int(rng.integers(0, max(1, len(raw) - 2 * size)))
    second = int(rng.integers(first + size, max(first + size + 1, len(raw) - size)))
    return raw[:first] + raw[second : second + size] + raw[first + size : second] + raw[first : first + size] + (
        raw[second + size :]
    )  # fmt: skip


def error_page(_raw: bytes, rng: Random) -> bytes:
    pages = (b"<!DOCTYPE html><html><body>404 Not Found", b'{"error": "expired"}', b"", b"\n", rng.bytes(300))
    return pages[int(rng.integers(len(pages)))]


DAMAGES: tuple[Change, ...] = (
    flip_a_bit, flip_bits, flip_in_the_head, cut, cut, cut_the_end, cut_the_beginning, zero_a_block, lose_a_block,
    insert_noise, repeat_a_block, swap_blocks, error_page,
)  # fmt: skip


def another_encoding(raw: bytes, rng: Random) -> bytes:
    text = raw.decode("utf-8", "replace")
    encodings = ("utf-16", "cp949", "utf-8-sig", "utf-16-le", "shift_jis", "utf-32")
    return text.encode(encodings[int(rng.integers(len(encodings)))], "replace")


def cut_at_a_line(raw: bytes, rng: Random) -> bytes:
    lines = raw.splitlines(keepends=True)
    return b"".join(lines[: int(rng.integers(0, max(1, len(lines))))])


def shorten_lines(raw: bytes, rng: Random) -> bytes:
    lines = raw.splitlines()
    for _ in range(int(rng.integers(1, 4)) if lines else 0):
        at = int(rng.integers(len(lines)))
        lines[at] = lines[at][: int(rng.integers(0, len(lines[at]) + 1))]
    return b"\n".join(lines) + b"\n"


def repeat_a_line(raw: bytes, rng: Random) -> bytes:
    lines = raw.splitlines(keepends=True) or [b""]
    at = int(rng.integers(len(lines)))
    return b"".join([*lines[: at + 1], *lines[at:]])


def empty_a_column(raw: bytes, rng: Random) -> bytes:
    lines = [line.split(b",") for line in raw.splitlines()]
    column = int(rng.integers(max(map(len, lines), default=1)))
    first = int(rng.integers(0, 2))
    kept = [[b"" if n >= first and i == column else field for i, field in enumerate(line)]
            for n, line in enumerate(lines)]  # fmt: skip
    return b"\n".join(b",".join(line) for line in kept) + b"\n"


def odd_numbers(raw: bytes, rng: Random) -> bytes:
    found = list(_NUMBER.finditer(raw))
    for _ in range(int(rng.integers(1, 3)) if found else 0):
        match = found[int(rng.integers(len(found)))]
        raw = raw[: match.start()] + _ODD[int(rng.integers(len(_ODD)))] + raw[match.end() :]
        if not (found := list(_NUMBER.finditer(raw))):  # the only one became a word
            break
    return raw


def odd_json(raw: bytes, rng: Random) -> bytes:
    """One value of a JSON document, at any depth, becomes another; anything else is left as it is."""
    try:
        document = json.loads(raw)
    except ValueError:
        return raw
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
            places.append((node, key))
            walk(node[key])

    walk(document)
    if not places:
        return b"[" * 100_000
    node, key = places[int(rng.integers(min(len(places), 400)))]
    if isinstance(node, dict) and rng.random() < 0.2:
        del node[key]
    else:
        node[key] = _ODD_VALUES[int(rng.integers(len(_ODD_VALUES)))]
    return json.dumps(document, ensure_ascii=bool(rng.integers(2))).encode("utf-8", "surrogatepass")


EDITS: tuple[Change, ...] = (
    another_encoding, cut_at_a_line, shorten_lines, repeat_a_line, empty_a_column, odd_numbers, odd_numbers, odd_json,
    odd_json,
)  # fmt: skip


def in_a_zip(raw: bytes, rng: Random) -> bytes:
    """A member goes wrong and is packed anew, so that the checksums hold."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    names = [name for name in members if not name.startswith(("docProps", "xl/theme"))]
    chosen = names[int(rng.integers(len(names)))]
    members[chosen] = mutated(members[chosen], chosen.replace(".xml", ".txt"), rng)[0]
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def in_a_tar(raw: bytes, rng: Random) -> bytes:
    """As `in_a_zip`, of a tar.gz; or the tar itself goes wrong under a gzip that is right."""
    plain = gzip.decompress(raw)
    if rng.random() < 0.5:
        return gzip.compress(damaged(plain, rng)[0], 1)
    target = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(plain)) as source, tarfile.open(fileobj=target, mode="w:gz") as sink:
        for member in source.getmembers():
            stream = source.extractfile(member)
            content = mutated(stream.read() if stream else b"", member.name, rng)[0]
            member.size = len(content)
            sink.addfile(member, io.BytesIO(content))
    return target.getvalue()


def in_an_hdf5(raw: bytes, rng: Random) -> bytes:
    """A value or an attribute becomes odd, the file stays well formed."""
    held = io.BytesIO(raw)
    with h5py.File(held, "r+") as file:
        names = [name for name, item in file.items() if isinstance(item, h5py.Dataset) and item.size]
        variable = file[names[int(rng.integers(len(names)))]]
        plain = [key for key in variable.attrs if key.islower() and key not in ("units_metadata",)]
        if plain and rng.random() < 0.5:
            words = ("", "furlong", "days since never", "한", 1e308, np.nan, -1)
            variable.attrs[plain[int(rng.integers(len(plain)))]] = words[int(rng.integers(len(words)))]
        elif np.issubdtype(variable.dtype, np.floating):
            values = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 0, -999], variable.dtype)
            block = variable[...]
            block.reshape(-1)[int(rng.integers(block.size)) :: int(rng.integers(1, 50))] = values[int(rng.integers(7))]
            variable[...] = block
        else:
            block = variable[...]
            block.reshape(-1)[int(rng.integers(block.size))] += int(rng.integers(-5, 400))
            variable[...] = block
    return held.getvalue()


def damaged(raw: bytes, rng: Random) -> tuple[bytes, str]:
    """The bytes after one of the damages, and its name."""
    change = DAMAGES[int(rng.integers(len(DAMAGES)))]
    return change(raw, rng), change.__name__


def mutated(raw: bytes, name: str, rng: Random) -> tuple[bytes, str]:
    """The bytes after a damage or, where the kind of the file has some, an edit; and what it was."""
    change: Change | None = None
    if raw[:2] == b"PK":
        change = in_a_zip
    elif raw[:2] == b"\x1f\x8b":
        change = in_a_tar
    elif raw[:4] == b"\x89HDF":
        change = in_an_hdf5
    elif name.lower().endswith(_TEXTS):
        change = EDITS[int(rng.integers(len(EDITS)))]
    if change is None or rng.random() < 0.5:
        return damaged(raw, rng)
    return change(raw, rng), change.__name__
