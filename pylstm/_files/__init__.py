"""Models in files: save and load, writing safely. Imports the estimators and what is below them."""
