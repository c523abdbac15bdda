"""Losses: what was recorded, and damage rates fitted to it."""
