"""Rules about memory, time and several processes."""
