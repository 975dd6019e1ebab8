"""What several tests need and no product offers."""
