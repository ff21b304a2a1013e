"""What a stranger can check: where everything lies, who can read it, and that nothing is sent."""
