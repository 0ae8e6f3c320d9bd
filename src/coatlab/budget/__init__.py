"""What a network costs, and plans of equal cost for every layout: `python -m coatlab.budget --help`."""
