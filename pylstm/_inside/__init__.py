"""To see: traces, explanations, pages, displays. Reads models; nothing reads it."""
