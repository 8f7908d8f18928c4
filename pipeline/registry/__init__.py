"""Which model is in use, since when, on what evidence and by whose leave: promotion, rollback, proof. No Prefect, no torch.

A *record* says all this in git, GTO's tags name its version and the stage `champion`, the model's bytes are DVC's.
"""
