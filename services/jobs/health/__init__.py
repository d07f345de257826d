"""How the work goes: who works, what waits, what failed."""
