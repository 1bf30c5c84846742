"""The risk of transactions: what just happened to their account and their IP, a model, and rules.

In: ``transactions`` and ``accounts``. Out: ``transaction_scores``, ``risk_alerts`` and dead letters. The agents are in
`streamapp.agents.transactions`.
"""
