"""Ray: start or join a cluster, run trials on it."""
