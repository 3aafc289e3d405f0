"""The services."""

import os

# gRPC writes a line of its own for every handshake that fails: whoever connects could fill the logs.
# It looks at this when it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
