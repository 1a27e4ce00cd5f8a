"""Models in files. Imports the ground and the estimators."""
