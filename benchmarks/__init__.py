"""Speed as a ratio to a named rival that ran in the same minute on the same machine and gave the same answer."""
