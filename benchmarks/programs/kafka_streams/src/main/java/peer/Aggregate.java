package peer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.kstream.Windowed;

/** The count and the sum of some transactions, and the time of the latest; kept in 24 bytes. */
record Aggregate(long count, double sum, long latest) {
  static final Aggregate NONE = new Aggregate(0, 0, 0);

  static Aggregate add(byte[] key, JsonNode transaction, Aggregate before) {
    return new Aggregate(
        before.count + 1,
        before.sum + transaction.get("amount").doubleValue(),
        Math.max(before.latest, transaction.get("time").longValue()));
  }

  static Aggregate merge(byte[] key, Aggregate one, Aggregate two) {
    return new Aggregate(one.count + two.count, one.sum + two.sum, Math.max(one.latest, two.latest));
  }

  JsonNode result(long start, long end) {
    ObjectNode result = Json.object();
    return result.put("start", start).put("end", end).put("n", count).put("total", sum);
  }

  static JsonNode result(Windowed<byte[]> window, Aggregate aggregate) {
    return aggregate.result(window.window().start(), window.window().end());
  }

  static Serde<Aggregate> serde() {
    return Serdes.serdeFrom(
        (topic, value) ->
            value == null
                ? null
                : ByteBuffer.allocate(24).putLong(value.count).putDouble(value.sum).putLong(value.latest).array(),
        (topic, bytes) -> {
          if (bytes == null) {
            return null;
          }
          ByteBuffer buffer = ByteBuffer.wrap(bytes);
          return new Aggregate(buffer.getLong(), buffer.getDouble(), buffer.getLong());
        });
  }
}
