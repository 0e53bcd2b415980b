"""The configuration: typed dataclasses, and how files and the command line become one."""
