"""The admin pages, one module each: what it shows, and what its forms do."""
