"""What can go wrong with documents; the message names the file and the remedy, never its content."""


class KnowledgeError(Exception):
    """A document or a search could not be handled."""


class DocumentError(KnowledgeError):
    """A file cannot be taken in. What was indexed of it before stays."""


class FormatUnknown(DocumentError):
    """No reader knows files of this kind."""


class DocumentTooLarge(DocumentError):
    """The file, or what it unpacks to, is over a limit."""


class DocumentUnreadable(DocumentError):
    """The file is damaged, encrypted, of an unknown encoding, or not what its name says."""


class DocumentGone(DocumentError):
    """It was there, and is no more."""


class SourceUnknown(KnowledgeError):
    """There is no source of that name."""


class NameTaken(KnowledgeError):
    """Another document is indexed under that name."""


class EmbeddingsUnavailable(KnowledgeError):
    """The server of embeddings cannot be asked now."""


class KnowledgeNotInstalled(KnowledgeError):
    """A library that knowledge stands on is not installed."""
