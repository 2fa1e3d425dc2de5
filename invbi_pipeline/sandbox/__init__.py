"""The emulated platforms and the simulated retail world. Imports nothing of invbi but the domain's words."""
