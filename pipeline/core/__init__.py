"""Code that every stage uses: errors, params, files, manifests, progress, timing. No torch."""
