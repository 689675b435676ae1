"""Sources: where people speak. One file per platform, each an entry point of the group `connector.sources`."""
