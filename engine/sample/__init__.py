"""The synthetic sample: a made-up climate of South Korea, and the real files it stands on."""
