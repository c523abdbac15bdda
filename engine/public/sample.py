"""The built-in sample as a source, without a server."""

from __future__ import annotations

from engine.io.climate.source import ClimateSource


def open_sample() -> ClimateSource:
    """Open the synthetic sample of South Korea: 994 land cells of 0.1 degree, 2021-2100, four scenarios, nine risks.

    Its figures are those of `climate-risk run` on the same sample, byte for byte: the climate is computed when it is
    read, terrain and land cover come with the package. It is made up, and no projection. No server is used.

    returns : a source for `engine.run`

    Example:

        result = engine.run(engine.open_sample(), risks="wildfire", periods="long_term")
    """
    from engine.sample.korea import SAMPLE_GRID, attributes
    from engine.sample.national import NationalClimate

    return NationalClimate(grid=SAMPLE_GRID, attributes=attributes())
