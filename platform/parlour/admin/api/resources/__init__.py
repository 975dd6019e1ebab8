"""What there is under `/api/v1`, one module each."""
