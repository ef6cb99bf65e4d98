"""Plots as SVG bytes, by matplotlib; the same input gives the same bytes on the same versions."""
