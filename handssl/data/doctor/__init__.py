"""Checks of raw data sets and stores."""
