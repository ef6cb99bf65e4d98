"""Records -> bytes: ART-01..05, the report, the summary. Pure: same input, same bytes."""
