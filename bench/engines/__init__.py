"""One module per engine, each with a class ``Engine(folder, precision, threads)``.

``transcribe(samples, window)`` returns the text and the durations of the stages "mel" and "encode"
(see ``stages``), as far as the engine lets them be told apart; ``facts`` names the versions in use.
``window`` is what the encoder sees of a clip under 30 s: "short", the clip and one second of
silence, or "padded" to 30 s.
"""
