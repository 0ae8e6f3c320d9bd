"""One file, one study: `DESIGN` says what its tables compare, and with which numbers of the paper.

Apart from these: `cost`, which is of every study, and `family`, which no sweep trains.
"""
