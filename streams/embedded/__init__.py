"""A broker and a Redis inside the demo, with nothing to install."""
