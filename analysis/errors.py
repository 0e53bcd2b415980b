"""The one error of this room, which imports nothing of the rest of the project."""


class RecordsError(ValueError):
    """A folder, option or statistic that cannot be used as asked; the message says the way out."""
