"""The records of a topic, for people: chosen by place, time, key and what is in them, decoded and shown as JSON.

In: a topic and what was asked for. Out: records as `Shown`, and what the topic has not.
"""
