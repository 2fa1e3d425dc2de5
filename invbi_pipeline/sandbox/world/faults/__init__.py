"""Faults and decoys: what goes wrong in the world, by a hand, a program, a thief or a wire, and what only looks so."""
