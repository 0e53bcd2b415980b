"""The converted data set: building, opening and joining stores."""
