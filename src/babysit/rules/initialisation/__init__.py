"""Rules about initialisation."""
