"""The pipeline as a service: retrain, promote, rollback, watch and evaluate as Prefect flows.

DVC stays the only graph and the only cache. A flow adds a schedule, retries, approval before a promotion, and artifacts in the UI.
Stages run through DVC in separate processes: no module here imports torch.
"""
