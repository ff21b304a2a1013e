"""The science: texts of a person in, a steering profile out. Knows no database, no screen, no settings."""
