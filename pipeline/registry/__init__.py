"""Which model is in use, since when, on what evidence and who approved it: promotion, rollback, verification. No Prefect, no torch.

A *record* in git has all this, tags in GTO's form name its version and the stage `champion`, and DVC has the model's bytes.
"""
