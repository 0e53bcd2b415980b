"""Storage of studies: folders, buckets, locks, disk space."""
