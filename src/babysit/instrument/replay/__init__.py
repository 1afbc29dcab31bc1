"""The autopsy of a NaN: copies of the process, and a second life of one, watched throughout.

On a value that is not finite, a copy of the process from before (:mod:`snapshots`) lives those
steps again; there every operation is watched (:mod:`births`) until the same thing happens, and
what is known then is told (:mod:`inquest`) and kept (:mod:`blackbox`).
"""
