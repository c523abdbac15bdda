"""Climate data in: the sources of a run (PostgreSQL warehouse, Parquet store), and the snapshot of one as the other."""
