"""Writes Triton model repositories: `python -m services.segmenter.model_repository`. See README.md here."""
