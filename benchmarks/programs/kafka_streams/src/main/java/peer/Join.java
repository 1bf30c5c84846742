package peer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

/** The KStream-KTable join: clicks with the profiles of their users, in RocksDB with a changelog. */
public class Join {
  static JsonNode join(JsonNode click, JsonNode profile) {
    ObjectNode joined = Json.object();
    joined.set("click", click);
    joined.set("profile", profile);
    joined.put("join_timestamp", System.currentTimeMillis() / 1000.0);
    return joined;
  }

  public static void main(String[] arguments) {
    StreamsBuilder builder = new StreamsBuilder();
    Consumed<byte[], JsonNode> consumed = Consumed.with(Serdes.ByteArray(), Json.serde());
    KTable<byte[], JsonNode> profiles =
        builder.table(System.getenv("PROFILES"), consumed, Materialized.with(Serdes.ByteArray(), Json.serde()));
    builder
        .stream(System.getenv("CLICKS"), consumed)
        .join(profiles, Join::join, Joined.with(Serdes.ByteArray(), Json.serde(), Json.serde()))
        .to(System.getenv("JOINED"), Produced.with(Serdes.ByteArray(), Json.serde()));
    Program.run(builder.build());
  }
}
