"""`assistant evaluate --preferences`: the process that measures, and what becomes of its results."""
