"""Rules about updates."""
