"""The reference runtime that all gates measure.

It is put together from the levers' own modules, with an extension host and with security instrumentation that can be
switched off instrument by instrument. Nothing is imported here: a cold start pays only for what it uses.
"""
