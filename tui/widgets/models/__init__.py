"""What the models screen is made of."""
