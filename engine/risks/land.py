"""Land-cover tables that several hazard indices look up. Unknown cover is the empty string."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def by_cover(cover: NDArray[np.str_], table: Mapping[str, float], otherwise: float) -> NDArray[np.float64]:
    """Value of each cell's land cover; `otherwise` for covers that the table does not name."""
    values = np.full(cover.shape, otherwise, np.float64)
    for name, value in table.items():
        values[cover == name] = value
    return values
