"""Transactions counted by IP in the minutes of event time, by Structured Streaming; each trigger tells what changed."""

import os
import signal

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

state, broker = os.environ["STATE"], os.environ["BROKER"]
spark = (
    SparkSession.builder.master(f"local[{os.environ['PARTITIONS']}]")
    .config("spark.jars", os.environ["JARS"])
    # By default there are 200 partitions, and each trigger would have as many tasks.
    .config("spark.sql.shuffle.partitions", os.environ["PARTITIONS"])
    .config(
        "spark.sql.streaming.stateStore.providerClass",
        "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider",
    )
    .config("spark.ui.enabled", "false")
    .config("spark.driver.memory", "1g")
    .getOrCreate()
)
transactions = (
    spark.readStream.format("kafka")
    .option("kafka.bootstrap.servers", broker)
    .option("subscribe", os.environ["TRANSACTIONS"])
    .option("startingOffsets", "earliest")
    .load()
)
counts = (
    transactions.select("timestamp", f.get_json_object(f.col("value").cast("string"), "$.ip").alias("ip"))
    .withWatermark("timestamp", f"{os.environ['GRACE_MS']} milliseconds")
    .groupBy(f.window("timestamp", f"{os.environ['SIZE_MS']} milliseconds"), "ip")
    .count()
)
query = (
    counts.select(
        f.col("ip").alias("key"),
        f.to_json(
            f.struct(
                f.col("ip").alias("key"),
                f.unix_millis("window.start").alias("start"),
                f.col("count").alias("n"),
            )
        ).alias("value"),
    )
    .writeStream.format("kafka")
    .option("kafka.bootstrap.servers", broker)
    .option("kafka.linger.ms", os.environ["LINGER_MS"])
    .option("topic", os.environ["JOINED"])
    .option("checkpointLocation", f"{state}/checkpoint")
    .outputMode("update")
    .start()
)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
query.awaitTermination()
