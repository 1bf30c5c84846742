package peer;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.WindowStore;

/** Transactions counted by IP in the minutes of event time; each change is told at once: there is no cache. */
public class Counts {
  static JsonNode result(Windowed<String> window, Long count) {
    return Json.object().put("key", window.key()).put("start", window.window().start()).put("n", count);
  }

  public static void main(String[] arguments) {
    StreamsBuilder builder = new StreamsBuilder();
    Duration size = Windows.milliseconds("SIZE_MS");
    builder
        .stream(System.getenv("TRANSACTIONS"), Consumed.with(Serdes.ByteArray(), Json.serde()))
        .groupBy(
            (account, transaction) -> transaction.get("ip").textValue(), Grouped.with(Serdes.String(), Json.serde()))
        .windowedBy(TimeWindows.ofSizeAndGrace(size, Windows.milliseconds("GRACE_MS")))
        .count(
            Materialized.<String, Long, WindowStore<Bytes, byte[]>>with(Serdes.String(), Serdes.Long())
                .withCachingDisabled())
        .toStream()
        .map((window, count) -> KeyValue.pair(window.key(), result(window, count)))
        .to(System.getenv("JOINED"), Produced.with(Serdes.String(), Json.serde()));
    Program.run(builder.build());
  }
}
