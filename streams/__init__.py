"""The shell: settings, topics, transport, agents, command line."""
