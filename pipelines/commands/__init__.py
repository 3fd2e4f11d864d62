"""The commands of the command line: thin functions that open, ask and print."""
