"""The workbench: what is learned from, the rebuild, what came of it, and its versions."""
