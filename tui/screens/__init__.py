"""Whole screens and dialogs: one file each."""
