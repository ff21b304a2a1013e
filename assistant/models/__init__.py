"""Which model files there are: the bundled one, those in the models folder, any path; checked before use."""
