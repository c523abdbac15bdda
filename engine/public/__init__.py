"""Names that a notebook uses: a run in memory, its result as frames, dataset and picture, the sample as a source."""
