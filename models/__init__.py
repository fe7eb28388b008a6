"""The pure core: events, state, scores, crossings. No I/O and no clock."""
