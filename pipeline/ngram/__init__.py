"""Text to word n-gram: the texts, the sentences that dev and test forbid, the n-gram and its perplexity. No torch here."""
