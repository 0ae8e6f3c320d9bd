"""The paper's orderings, and what the runs say of them."""
