"""Event times before the start: topics that would change them, and those that would delete what is old."""

from __future__ import annotations

from typing import Final

from streamapp.kafka.admin import Cluster, ClusterError
from streamapp.kafka.topic_configs import CHANGELOG, INTERNAL, Config, alter_command, appends_time, retention_ms
from streamapp.worker.start import Start

__all__ = ["check_event_times"]

#: What an internal topic has to be like so that nothing of it is gone before it was processed.
KEPT: Final = ("cleanup.policy", "retention.ms", "retention.bytes")


def check_event_times(start: Start) -> None:
    """Look at the configs of the topics, once they are there: `App.notes` says what is worth to know.

    Internal topics that would delete what was not processed yet are made to keep it. Of the others the app learns how
    long they keep records, so that it can tell when they are older.

    Raises:
        ClusterError: if a changelog or an internal topic changes event times or deletes rows, and what to do then.
    """
    app, cluster = start.app, start.cluster
    internal, outputs = set(app.declared.internal), set(app.declared.sinks)
    inputs = app.declared.inputs.keys() - internal
    configs, why = cluster.configs({*start.changelogs, *internal, *outputs, *inputs})
    if why:
        app.note(
            f"some topics' configs may not be read ({why}): if their message.timestamp.type is LogAppendTime, event "
            "times are not the records' own; DescribeConfigs on them lets the worker look"
        )
    for topic, config in sorted(configs.items()):
        if topic in start.changelogs:
            _check_changelog(cluster, topic, config)
        if topic in internal and (told := _checked_internal(cluster, topic, config)):
            app.note(told)
        if topic not in inputs | outputs:
            continue
        if appends_time(config):
            times = "event times of its records are" if topic in inputs else "event times of results are not kept, but"
            app.note(
                f"{topic} has message.timestamp.type=LogAppendTime: {times} those at which the broker appends them"
            )
        elif (kept := retention_ms(config)) is not None:
            app.retention.expect(topic, kept)


def _check_changelog(cluster: Cluster, topic: str, config: Config) -> None:
    if appends_time(config):
        raise ClusterError(_changed_times(cluster, "changelog", topic, "expired rows would join after a restore"))
    if retention_ms(config) is not None or config.get("cleanup.policy", "compact") == "delete":
        raise ClusterError(
            f"the changelog {topic} has cleanup.policy={config['cleanup.policy']}, which deletes rows by their event "
            f"times, and a restore would miss them; keep them: "
            f"{alter_command(cluster.settings, topic, {'cleanup.policy': CHANGELOG['cleanup.policy']})}"
        )


def _checked_internal(cluster: Cluster, topic: str, config: Config) -> str:
    """Have a topic keep what was not processed yet, and return a note of it if it did not; empty = it did."""
    if appends_time(config):
        raise ClusterError(_changed_times(cluster, "internal topic", topic, "joins behind it would find other records"))
    wrong = {name: INTERNAL[name] for name in KEPT if config.get(name, INTERNAL[name]) != INTERNAL[name]}
    if not wrong:
        return ""
    was = ", ".join(f"{name}={config[name]}" for name in wrong)
    try:
        cluster.alter(topic, wrong)
    except ClusterError as exc:
        raise ClusterError(
            f"the internal topic {topic} has {was}, which deletes records before they were processed, and it could not "
            f"be changed ({exc}): {alter_command(cluster.settings, topic, wrong)}"
        ) from None
    return f"the internal topic {topic} had {was}, and keeps now what was not processed yet"


def _changed_times(cluster: Cluster, kind: str, topic: str, harm: str) -> str:
    command = alter_command(cluster.settings, topic, {"message.timestamp.type": "CreateTime"})
    return (
        f"the {kind} {topic} has message.timestamp.type=LogAppendTime: its times are those of writing, and {harm}; "
        f"`streamapp reset` makes it anew from the input, or, if it is empty or its times do not matter: {command}"
    )
