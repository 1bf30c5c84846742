"""The pipelines of the app of this repository, one package each, written on the library as any user's is.

In: settings of their own. Out: models, topics and tables, for agents in `streamapp.agents`.
"""
