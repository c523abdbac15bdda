"""Results out and back: the run directory, the sinks that publish a run, and readers of what is published."""
