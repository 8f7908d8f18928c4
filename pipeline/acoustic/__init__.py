"""The only place of torch, torchaudio and transformers: audio, model, head transfer, batching, training, decoding.

Shape legend used in names: B batch, S samples, T frames, V vocabulary.
"""
