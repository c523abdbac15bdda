"""The report of a run: one HTML file from results computed before. Needs the extra `report`."""
