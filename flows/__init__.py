"""The pipeline as a service: retrain, promote, rollback, watch and evaluate as Prefect flows.

DVC stays the only graph and the only cache; a flow brings the clock, retries, leave to promote, and somebody watching.
Stages run through DVC in processes of their own: nothing here loads torch.
"""
