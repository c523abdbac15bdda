"""Damage rates fitted to recorded losses: hazard of years and storms, model, skill on what it has not seen, level,
rates.

Pure functions of arrays; docs/calibration.md says what is fitted and what a figure of it is.
"""
