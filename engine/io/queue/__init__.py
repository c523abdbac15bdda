"""Rows by which processes hand work to each other: jobs that wait and run, events that are to be sent."""
