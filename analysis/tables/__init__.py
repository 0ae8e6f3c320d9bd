"""One file, one study: `DESIGN` says what its tables compare."""
