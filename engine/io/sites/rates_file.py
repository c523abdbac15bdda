"""A table of exchange rates as a file."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from engine.core import rates
from engine.core.errors import SettingsError
from engine.core.rates import Rate

#: bytes of the largest table: every currency of the world is a few thousand
_MOST = 1_000_000


def read(path: Path) -> dict[str, Rate]:
    """Rates of a CSV file with the columns currency, rate, date.

    raises : SettingsError for a file that is none
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST + 1)
        if len(raw) > _MOST:
            raise SettingsError(f"{path} is larger than a table of rates can be ({_MOST:,} bytes)")
        lines = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    except OSError as err:
        raise SettingsError(f"{path} cannot be read: {err.strerror}") from err
    except (UnicodeDecodeError, csv.Error) as err:
        raise SettingsError(f"{path} is no CSV in UTF-8: {err}") from None
    return rates.parse(lines, str(path))
