"""The paper's numbers as it prints them, and how they are matched to our rows."""
