"""Words and values that every room shares: scenarios, periods, the lattice, risk names, levels, errors, settings."""
