"""Users, their identities in messengers, and who may talk to the assistant."""
