"""Rebuilding the profile in a child process that holds torch, with progress, cancel and resume."""
