"""From a manifest to padded batches of waveforms. No torch here."""
