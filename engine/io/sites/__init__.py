"""Sites: what the warehouse knows about places, and where assessments are kept."""
