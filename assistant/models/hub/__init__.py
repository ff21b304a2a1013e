"""Downloads from the Hugging Face hub: a child process holds the network, and only while somebody waits for it."""
