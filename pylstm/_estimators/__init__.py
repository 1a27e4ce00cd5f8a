"""The estimators and their training. Imports the public modules, such as `preprocessing`, and the ground, `_net`."""
