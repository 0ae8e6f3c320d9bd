"""One file per study, with the name of its sweep: `DESIGN` says what its tables compare, and with what of the paper."""
