"""What can be written in the prompt beside a message: commands, earlier prompts, another editor."""
