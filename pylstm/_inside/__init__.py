"""To see inside: explain, look, page, displays. Reads models, and nothing reads it. Imports any other floor."""
