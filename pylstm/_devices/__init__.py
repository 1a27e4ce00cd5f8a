"""A model leaving for a stream, a buffer or a C file. Imports `_files` and what is below it."""
