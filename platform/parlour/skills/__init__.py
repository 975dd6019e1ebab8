"""Skills: installing, granting, isolating and calling them."""
