"""The cost of a network, and plans with which every layout costs the same: `python -m coatlab.budget --help`.

cost.py counts parameters, multiply-adds (MACs) and activations of a network. parts.py and polynomial.py predict the
cost of any plan from a few counted blocks. solver.py searches for a plan that meets a budget. sizes.py reads and writes
conf/size. family.py counts the paper's own plans.
"""

REFERENCE_ATTENTION = "relative"  # `plans` in conf/size are solved for it, and the paper's plans use it
