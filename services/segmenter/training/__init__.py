"""Trains Packshot's own segmentation model; see README.md beside this file. Needs the `training` extra."""
