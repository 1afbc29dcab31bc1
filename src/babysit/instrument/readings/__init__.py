"""What is read from the X-ray of a sampled step, one kind a file."""
