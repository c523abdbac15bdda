"""Results of a run as files that other programs open: tables, arrays, pictures with coordinates, a database."""
