"""One file per study: what its tables compare, with which numbers of the paper."""
