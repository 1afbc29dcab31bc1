"""Measurements and generated pages; run with `make`."""
