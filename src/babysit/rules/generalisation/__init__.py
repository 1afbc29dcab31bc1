"""Rules about generalisation."""
