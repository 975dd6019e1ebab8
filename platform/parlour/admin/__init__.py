"""What people who run Parlour look at: health, readiness, metrics."""
