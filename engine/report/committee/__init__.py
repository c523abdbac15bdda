"""Report of a portfolio for a committee: findings in sentences, assets at risk, curves, map, sites, sources."""
