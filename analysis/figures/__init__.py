"""One file a figure: `draw(runs, histories)` returns it, `coatlab.benchmark.growth.save` writes it as SVG and PNG.

Runs are complete ones, a row each, index `fingerprint`, columns as in the records; histories have their epochs' rows.
"""
