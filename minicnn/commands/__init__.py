"""What the command line does, one module a task. Only `minicnn.cli` uses these."""
