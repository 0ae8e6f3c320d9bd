"""The inner attention: what happens between q, k, v and their mix. One file, one variant.

A variant is an `InnerAttention` (inner.py), built once a block as `Variant(heads=, head_size=, grid=, block=,
**settings)` and called as `attend(q_BHND, k_BHND, v_BHND) -> out_BHND`. Projections, norms and shortcuts belong to
the transformer block and are shared by all variants, so that a comparison of variants changes this part only.
`conf/attention/<name>.yaml` names the class in `_target_`; that is all the registration there is.
"""
