"""What was learned: items, versions of the profile, imported vectors, and how they steer the next reply."""
