"""What each engine's process runs; the peers' scripts run in a virtual environment of their own."""
