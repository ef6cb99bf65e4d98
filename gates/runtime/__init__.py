"""The reference runtime: what PRF-01 to -03 measure; PRF-04 takes its levers and nothing else.

It is put together from the levers' own modules, with an extension host and with security instrumentation that can be
switched off instrument by instrument. Nothing is imported here: a cold start pays only for what it uses.
"""
