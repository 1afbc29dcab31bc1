"""What is seen of the program's calls, one kind a file."""
