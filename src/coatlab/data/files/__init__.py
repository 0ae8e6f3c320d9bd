"""Images in encoded files (JPEG, PNG, ...): in class folders or in shards."""
