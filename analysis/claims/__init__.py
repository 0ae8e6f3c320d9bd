"""The orderings that the paper states, and what the runs say about them."""
