"""The pipelines of the app of this repository, one package each, written on the library as any user's is.

Each has its settings, models, topics and tables here, and its agents in `streamapp.agents`.
"""
