"""The images. One file per data set, with a LightningDataModule that `conf/data/<name>.yaml` names in `_target_`.

To add a data set called `name`:
- `src/coatlab/data/<name>.py` has the class. It inherits from `InMemoryData` (in_memory.py) if all images fit in
  memory, from `EncodedData` (files/encoded.py) if they are decoded when they are needed, otherwise from `ImageData`
  (image_data.py).
- `conf/data/<name>.yaml` has `name: <name>`, the class in `_target_`, and its settings, which reach the class as
  keyword arguments. Each new setting gets a rule in `src/coatlab/config/rules.py`, which refuses bad values.
- `tests/data/test_<name>.py` tests it.
"""
