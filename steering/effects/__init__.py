"""Which tokens are the person's: causal effects of tokens, and the weights, words and phrases made of them."""
