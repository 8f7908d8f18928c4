"""Audio: decoding and encoding, resampling, quality measures, fingerprint, degradation. No torch here."""
