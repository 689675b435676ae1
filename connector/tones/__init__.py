"""Tone detectors beside the shipped model, found by entry point (group `connector.tones`) and chosen in the mapping
with `tone: {detector: NAME}`.

    endpoint   asks a service of your own over HTTP
    semantic   reads the meaning of whole sentences in sixteen languages; an extra, for it brings 32 MB and numpy
"""
