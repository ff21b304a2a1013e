"""Steering methods held against each other on people whose texts nobody of us has chosen anything by."""
