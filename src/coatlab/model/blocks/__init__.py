"""The blocks of a network: the stem (stem.py), MBConv (mbconv.py) and the transformer block (transformer.py).

Every block maps an image (B, channels in, rows, columns) to (B, channels out, rows / stride, columns / stride). Tensors
are NCHW, in channels-last memory where the trainer asks for it. Both kinds of block share the shortcut (shortcut.py).
`model/network.py` builds each block by its kind: C is MBConv, T is the transformer block, whose inner attention is
passed in (`model/attention/`). Entries of conf/network/coatnet.yaml reach the blocks as keyword arguments.
"""
