package peer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

/** The KStream-KTable join: clicks with the profiles of their users, in RocksDB with a changelog. */
public class Join {
  static final ObjectMapper JSON = new ObjectMapper();

  static Serde<JsonNode> json() {
    return Serdes.serdeFrom(
        (topic, value) -> {
          try {
            return value == null ? null : JSON.writeValueAsBytes(value);
          } catch (IOException e) {
            throw new SerializationException(e);
          }
        },
        (topic, bytes) -> {
          try {
            return bytes == null ? null : JSON.readTree(bytes);
          } catch (IOException e) {
            throw new SerializationException(e);
          }
        });
  }

  static JsonNode join(JsonNode click, JsonNode profile) {
    ObjectNode joined = JsonNodeFactory.instance.objectNode();
    joined.set("click", click);
    joined.set("profile", profile);
    joined.put("join_timestamp", System.currentTimeMillis() / 1000.0);
    return joined;
  }

  public static void main(String[] arguments) {
    Properties config = new Properties();
    config.put(StreamsConfig.APPLICATION_ID_CONFIG, System.getenv("GROUP"));
    config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("BROKER"));
    config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, System.getenv("THREADS"));
    config.put(StreamsConfig.STATE_DIR_CONFIG, System.getenv("STATE"));
    config.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, System.getenv("GUARANTEE"));
    config.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    config.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
    config.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), System.getenv("LINGER_MS"));

    StreamsBuilder builder = new StreamsBuilder();
    Consumed<byte[], JsonNode> consumed = Consumed.with(Serdes.ByteArray(), json());
    KTable<byte[], JsonNode> profiles =
        builder.table(System.getenv("PROFILES"), consumed, Materialized.with(Serdes.ByteArray(), json()));
    builder
        .stream(System.getenv("CLICKS"), consumed)
        .join(profiles, Join::join, Joined.with(Serdes.ByteArray(), json(), json()))
        .to(System.getenv("JOINED"), Produced.with(Serdes.ByteArray(), json()));

    KafkaStreams streams = new KafkaStreams(builder.build(), config);
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          return StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
        });
    Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
    streams.start();
  }
}
