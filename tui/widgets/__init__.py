"""Parts of screens: one region, one file."""
