"""The agents, one file each: start reading here."""
