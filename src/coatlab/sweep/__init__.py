"""Many runs: which ones, what is left to do."""
