"""The images. One file, one source, each a LightningDataModule that `conf/data/<name>.yaml` names in `_target_`."""
