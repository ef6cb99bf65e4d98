"""Records -> bytes: ART-01..05, the report, the summary. Pure: no clock, no network, same input, same bytes."""
