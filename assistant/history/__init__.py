"""What was said and written, as a collection: listed, organised, brought in, taken elsewhere, forgotten."""
