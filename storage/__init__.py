"""The person's history in one local SQLite file. Knows nothing of models."""
