"""Readers of raw data sets, one file a format."""
