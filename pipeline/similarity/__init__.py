"""How near a candidate donor language lies to the target: words, sounds and letters. Numpy, no torch."""
