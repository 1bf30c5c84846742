"""The same join in streamapp and in its peers, measured side by side: `make bench`."""
