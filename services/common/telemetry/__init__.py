"""What can be seen of a running service: logs, traces and metrics; docs/observability.md."""
