"""What happens around the training loop, as Lightning's callbacks."""
