package peer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.ValueJoiner;

/** The KStream-KStream join: purchases with views of the same time, in window stores of RocksDB with changelogs. */
public class Pairs {
  static JsonNode join(JsonNode purchase, JsonNode view) {
    ObjectNode pair = Json.object();
    pair.set("left", purchase);
    pair.set("right", view);
    return pair;
  }

  /** The same without parsing: the values are JSON already. */
  static byte[] splice(byte[] purchase, byte[] view) {
    byte[] left = "{\"left\":".getBytes(StandardCharsets.US_ASCII);
    byte[] right = ",\"right\":".getBytes(StandardCharsets.US_ASCII);
    ByteBuffer pair = ByteBuffer.allocate(left.length + purchase.length + right.length + view.length + 1);
    return pair.put(left).put(purchase).put(right).put(view).put((byte) '}').array();
  }

  static <V> void declare(StreamsBuilder builder, Serde<V> serde, ValueJoiner<V, V, V> joiner) {
    String prefix = System.getenv("PREFIX");
    Consumed<byte[], V> consumed = Consumed.with(Serdes.ByteArray(), serde);
    JoinWindows windows =
        JoinWindows.ofTimeDifferenceAndGrace(
            Duration.ofMillis(Long.parseLong(System.getenv("WINDOW_MS"))),
            Duration.ofMillis(Long.parseLong(System.getenv("GRACE_MS"))));
    builder
        .stream(prefix + "purchases", consumed)
        .join(
            builder.stream(prefix + "views", consumed),
            joiner,
            windows,
            StreamJoined.with(Serdes.ByteArray(), serde, serde))
        .to(System.getenv("JOINED"), Produced.with(Serdes.ByteArray(), serde));
  }

  public static void main(String[] arguments) {
    StreamsBuilder builder = new StreamsBuilder();
    if (System.getenv("VALUES").equals("json")) {
      declare(builder, Json.serde(), Pairs::join);
    } else {
      declare(builder, Serdes.ByteArray(), Pairs::splice);
    }
    Program.run(builder.build());
  }
}
