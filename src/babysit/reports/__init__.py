"""Reports: a diagnosis rendered for a reader."""
