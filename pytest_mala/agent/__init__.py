"""What the agent gets: its environment, and the program that starts the CLI with nothing else."""
