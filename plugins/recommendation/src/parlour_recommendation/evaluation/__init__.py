"""How well it recommends, beside reference methods in the same run. No part of the skill at work."""
