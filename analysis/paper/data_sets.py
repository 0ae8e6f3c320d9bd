"""Which data sets stand for the abundant data of the paper (JFT, ImageNet-21K), and which for the data that it targets.

On abundant data images hardly recur, so a network is measured by its capacity. It is also what networks are pre-trained
on. All other data sets of conf/data are targets: a network is to be good at them, and images are few.
"""

from coatlab.config.files import choices

ABUNDANT = ("fractals", "webdataset")
TARGET = tuple(name for name in choices("data") if name not in ABUNDANT)
