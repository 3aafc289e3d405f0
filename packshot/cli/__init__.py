"""The `packshot` command."""

import os

# gRPC tells people about its connections on stderr unless it is told not to before it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
