"""The `clv` command: one file a command, imported when it is called."""
