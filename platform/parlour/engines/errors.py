"""What can go wrong while an engine answers; the docstring is the meaning, the message names value and remedy."""


class EngineError(Exception):
    """An engine could not do what was asked."""


class EngineUnavailable(EngineError):
    """The engine cannot be started or reached; nothing was generated. Trying later may help."""


class EngineBusy(EngineError):
    """The engine's admission limit is reached; nothing was generated. Trying later will help."""


class EngineDied(EngineError):
    """The engine broke off in the middle of an answer. The pieces so far are not a whole answer."""


class PromptTooLong(EngineError):
    """The prompt does not fit the model's window; shortening it is the only remedy."""


class NotSupported(EngineError):
    """This engine cannot do that at all (embeddings on a chat-only server, say)."""


class ModelFileError(EngineError):
    """A model file is missing, cut short or of the wrong kind."""
