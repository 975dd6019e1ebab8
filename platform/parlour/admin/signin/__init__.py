"""Signing in to the admin pages: passwords, codes of an app, sessions, links that set a password."""
