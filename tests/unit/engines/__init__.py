"""The parts of the engines that need no model."""
