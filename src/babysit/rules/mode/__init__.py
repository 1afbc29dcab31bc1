"""Rules about mode."""
