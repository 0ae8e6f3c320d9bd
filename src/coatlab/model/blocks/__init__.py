"""The blocks of a network: stem, MBConv, transformer. Images are NCHW tensors in channels-last memory."""
