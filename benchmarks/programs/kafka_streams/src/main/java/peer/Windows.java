package peer;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.SlidingWindows;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;

/** Transactions counted and summed up in windows, which are in RocksDB with a changelog. */
public class Windows {
  static final Duration SIZE = milliseconds("SIZE_MS");
  static final Duration GAP = milliseconds("GAP_MS");
  static final Duration GRACE = milliseconds("GRACE_MS");

  static Duration milliseconds(String name) {
    return Duration.ofMillis(Long.parseLong(System.getenv(name)));
  }

  static KTable<Windowed<byte[]>, Aggregate> aggregate(KGroupedStream<byte[], JsonNode> keyed, String kind) {
    return switch (kind) {
      case "tumbling" ->
          keyed
              .windowedBy(TimeWindows.ofSizeAndGrace(SIZE, GRACE))
              .aggregate(
                  () -> Aggregate.NONE,
                  Aggregate::add,
                  Materialized.with(Serdes.ByteArray(), Aggregate.serde()));
      case "session" ->
          keyed
              .windowedBy(SessionWindows.ofInactivityGapAndGrace(GAP, GRACE))
              .aggregate(
                  () -> Aggregate.NONE,
                  Aggregate::add,
                  Aggregate::merge,
                  Materialized.with(Serdes.ByteArray(), Aggregate.serde()));
      // A window with both its ends that is 1 ms shorter is one of the full length without its beginning.
      case "look_back" ->
          keyed
              .windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(SIZE.minusMillis(1), GRACE))
              .aggregate(
                  () -> Aggregate.NONE,
                  Aggregate::add,
                  Materialized.with(Serdes.ByteArray(), Aggregate.serde()));
      default -> throw new IllegalArgumentException(kind);
    };
  }

  /** Of the windows that slide, half end at a record; the others begin after one. */
  static boolean endsAtARecord(Windowed<byte[]> window, Aggregate aggregate) {
    return window.window().end() == aggregate.latest();
  }

  static JsonNode lookBack(Windowed<byte[]> window, Aggregate aggregate) {
    return aggregate.result(window.window().end() - SIZE.toMillis(), window.window().end());
  }

  public static void main(String[] arguments) {
    String kind = System.getenv("WINDOW");
    StreamsBuilder builder = new StreamsBuilder();
    KGroupedStream<byte[], JsonNode> keyed =
        builder
            .stream(System.getenv("PREFIX") + "transactions", Consumed.with(Serdes.ByteArray(), Json.serde()))
            .groupByKey(Grouped.with(Serdes.ByteArray(), Json.serde()));
    KTable<Windowed<byte[]>, Aggregate> aggregates = aggregate(keyed, kind);
    if (System.getenv("EMISSION").equals("final")) {
      aggregates = aggregates.suppress(Suppressed.untilWindowCloses(Suppressed.BufferConfig.unbounded()));
    }
    KStream<Windowed<byte[]>, Aggregate> results = aggregates.toStream();
    KStream<Windowed<byte[]>, JsonNode> values =
        kind.equals("look_back")
            ? results.filter(Windows::endsAtARecord).mapValues(Windows::lookBack)
            : results.mapValues(Aggregate::result);
    values
        .map((window, value) -> KeyValue.pair(window.key(), value))
        .to(System.getenv("JOINED"), Produced.with(Serdes.ByteArray(), Json.serde()));
    Program.run(builder.build());
  }
}
