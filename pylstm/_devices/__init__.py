"""A model leaving for a stream, a buffer or a C file. Imports the ground and reads estimators."""
