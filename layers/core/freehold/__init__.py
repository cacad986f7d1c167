"""Freehold's core: what an agent run is and how it stays correct. `wiring` alone knows which adapters are in use."""
