"""The estimators, their targets and their training. Imports the ground."""
