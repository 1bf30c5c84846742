"""Readings of devices, many a second, and what is wrong with them.

In: ``readings``. Out: ``device_anomalies``, ``device_minutes``, ``late_readings`` and dead letters. What runs is in
`streamapp.agents.readings`.
"""
