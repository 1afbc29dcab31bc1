"""Trying a training again, in processes of its own: patients, isolation, the pool."""
