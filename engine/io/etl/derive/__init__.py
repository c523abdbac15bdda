"""`jobs.etl derive`: monthly means and yearly indices of daily files and station tables."""
