"""Every engine against one contract, with real models and servers."""
