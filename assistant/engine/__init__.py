"""Generation in a child process: one llama.cpp model, one control vector."""
