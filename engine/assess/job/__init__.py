"""Assessments as jobs: portfolios read, sites filled from the warehouse, assessed stage by stage, stored."""
