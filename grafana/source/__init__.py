"""The dashboards' source: `python -m grafana.source.generate` writes `grafana/dashboards/`."""
