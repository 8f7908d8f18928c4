"""Portuguese speech recognition, retrained from a Spanish model and promoted on evidence."""
