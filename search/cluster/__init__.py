"""Ray: start or join a cluster, and run trials on it."""
