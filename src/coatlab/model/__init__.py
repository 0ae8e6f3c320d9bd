"""The networks: layouts, attention variants, blocks.

This file imports nothing, so that `coatlab.config` can read layouts without loading torch.
"""
