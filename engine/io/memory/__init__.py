"""Climate data that are in memory already: xarray datasets as a source of runs."""
