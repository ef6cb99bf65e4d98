"""Bundles in a store; `prfpipe.store.evidence` is the door."""
