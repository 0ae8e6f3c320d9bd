"""Images that lie encoded on a disk: in class folders or in shards."""
