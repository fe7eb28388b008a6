package clv.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.module.blackbird.BlackbirdModule;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.KeyValueBytesStoreSupplier;
import org.apache.kafka.streams.state.Stores;

/**
 * The small job in the DSL: count and sum per customer, score to a topic.
 *
 * <p>The environment says where and what: BENCH_INPUT, BENCH_OUTPUT, BENCH_STORE (rocksdb or
 * memory). Each argument is one setting of Kafka Streams, as name=value.
 */
public final class SmallJob {
  private static final String STORE = "totals";
  private static final ObjectMapper JSON = new ObjectMapper().registerModule(new BlackbirdModule());
  private static final ObjectReader PURCHASE = JSON.readerFor(Purchase.class);
  private static final ObjectWriter SCORE = JSON.writerFor(Score.class);

  private SmallJob() {}

  public static void main(String[] settings) {
    Map<String, String> env = System.getenv();
    Properties properties = new Properties();
    for (String setting : settings) {
      int equals = setting.indexOf('=');
      properties.put(setting.substring(0, equals), setting.substring(equals + 1));
    }
    Topology topology =
        topology(env.get("BENCH_INPUT"), env.get("BENCH_OUTPUT"), env.get("BENCH_STORE"));
    KafkaStreams streams = new KafkaStreams(topology, properties);
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          Runtime.getRuntime().halt(1);
          return null;
        });
    Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
    streams.start();
  }

  private static Topology topology(String input, String output, String store) {
    KeyValueBytesStoreSupplier supplier =
        store.equals("memory")
            ? Stores.inMemoryKeyValueStore(STORE)
            : Stores.persistentKeyValueStore(STORE);
    Serde<Totals> totals =
        Serdes.serdeFrom(
            (topic, value) -> value == null ? null : Totals.encode(value),
            (topic, bytes) -> bytes == null ? null : Totals.decode(bytes));
    Serde<Purchase> purchases =
        Serdes.serdeFrom((topic, value) -> null, (topic, bytes) -> read(bytes));
    Serde<Score> scores = Serdes.serdeFrom((topic, score) -> write(score), (topic, bytes) -> null);
    StreamsBuilder builder = new StreamsBuilder();
    builder.stream(input, Consumed.with(Serdes.Bytes(), purchases))
        .groupByKey(Grouped.with(Serdes.Bytes(), purchases))
        .aggregate(
            Totals::new,
            (customer, purchase, sums) -> sums.plus(purchase),
            Materialized.<Bytes, Totals>as(supplier)
                .withKeySerde(Serdes.Bytes())
                .withValueSerde(totals))
        .toStream()
        .mapValues(Score::of)
        .to(output, Produced.with(Serdes.Bytes(), scores));
    return builder.build();
  }

  private static Purchase read(byte[] bytes) {
    try {
      return PURCHASE.readValue(bytes);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private static byte[] write(Score score) {
    try {
      return SCORE.writeValueAsBytes(score);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }
}
