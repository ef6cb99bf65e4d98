"""prfpipe next to other benchmark tools: known differences, the same wall time, one machine, one session."""
