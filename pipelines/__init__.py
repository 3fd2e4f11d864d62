"""What moves events: sources, the dataflow, alerts and the command line."""
