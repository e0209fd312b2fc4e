"""One module per program, each with a class ``Engine``.

``Engine(folder, precision, threads)`` loads; ``words(samples, options)`` transcribes and returns
``[word, start, end]`` for each word, in seconds. ``options`` are those of ``WordSetup``, and mean
something to ours alone. All transcribe English at temperature 0, greedily, with timestamps and the
text before as a prompt; whatever else a program does by default, it does here.
"""
