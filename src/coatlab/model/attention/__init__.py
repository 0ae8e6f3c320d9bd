"""The inner attention: what happens between q, k, v and their mix. One file per variant.

To add a variant called `name`:
- `src/coatlab/model/attention/<name>.py` has a subclass of `InnerAttention` (inner.py). Its module docstring gives the
  formula with its source, a line "Cost of a block: ... multiply-adds ...; memory ...", and each deviation.
- `conf/attention/<name>.yaml` has `name: <name>`, the class in `_target_`, and the variant's settings, which reach the
  class as keyword arguments. Nothing else registers it. Each new setting gets a rule in
  `src/coatlab/config/rules.py`, which refuses bad values.
- `tests/model/attention/test_<name>.py` compares it with its formula (`direct_attention.py` there has helpers).
  `test_inner.py` runs every variant without being told.

One object is built per transformer block, as `Variant(heads=, head_size=, grid=, block=, **settings)`, and called as
`attend(q_BHND, k_BHND, v_BHND) -> out_BHND`. Projections, norms and shortcuts belong to the transformer block and are
the same for all variants, so that a comparison of two variants changes nothing but this part. What variants share has
files of its own: bias.py (the relative bias) and position.py (the position embedding).
"""
