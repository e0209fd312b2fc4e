"""One module per engine, named as in ``bench/engines``, each with a class ``Engine``.

``Engine(folder, precision, threads)`` loads; ``open(job)`` starts a stream and returns an object
with ``feed(samples)`` and ``finish()``, which give events as plain data, and ``counts``, what was
done so far. ``job`` is a ``Job`` of ``streaming/jobs.py`` as plain data.
"""
