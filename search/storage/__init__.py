"""Where studies are stored: folders, buckets, locks, disk space."""
