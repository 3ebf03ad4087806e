"""Looking into a running process: where its threads spend time, what they do now, what its memory holds.

Nothing here costs anything until it is asked for.
"""
