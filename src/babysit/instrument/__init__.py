"""What watches PyTorch. Import it only once torch is there."""
