"""Assessments against the databases: sites filled from the warehouse, taken through their stages, stored and cached."""
