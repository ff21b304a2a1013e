"""Language models as the science sees them: torch's, cut into blocks, and the quantized one that chats."""
