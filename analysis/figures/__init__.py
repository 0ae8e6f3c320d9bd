"""One file per figure: `draw(runs, histories)` returns it, and a study's design names it by its file.

Args of every `draw`: `runs`, one row per complete run, with index `fingerprint` and the columns of
`analysis.read.folders`; `histories`, one row per epoch of these runs. The module's docstring becomes the caption.
"""
