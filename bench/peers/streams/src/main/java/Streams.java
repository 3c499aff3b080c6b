import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;

/**
 * The hop as one writes it with Kafka Streams and Jackson: parse, add one field, pop the route, write. Every setting that is
 * not named here has its default. Arguments: the bench's setting as JSON, and the processing guarantee.
 */
public final class Streams {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final OperatingSystemMXBean SYSTEM =
      (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

  /** What is sent, and to which topic. */
  private record Hop(String topic, byte[] value) {}

  public static void main(String[] args) throws IOException {
    var setting = JSON.readTree(args[0]);
    var properties = new Properties();
    properties.put(StreamsConfig.APPLICATION_ID_CONFIG, setting.get("group").asText());
    properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, setting.get("brokers").asText());
    properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, args[1]);
    properties.put(StreamsConfig.STATE_DIR_CONFIG, Files.createTempDirectory("metrobus-bench-streams-").toString());

    var begun = SYSTEM.getProcessCpuTime();
    var builder = new StreamsBuilder();
    builder.stream(setting.get("topic").asText(), Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
        .mapValues(Streams::hop)
        .to(
            (key, hop, context) -> hop.topic(),
            Produced.with(
                Serdes.ByteArray(),
                Serdes.serdeFrom((topic, hop) -> hop.value(), (topic, bytes) -> new Hop(topic, bytes))));
    var streams = new KafkaStreams(builder.build(), properties);
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          Runtime.getRuntime().halt(1);
          return StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
        });
    streams.start();
    answer(begun);
    Runtime.getRuntime().halt(0);
  }

  private static Hop hop(byte[] value) {
    try {
      var envelope = (ObjectNode) JSON.readTree(value);
      var header = envelope.get("header");
      var route = (ArrayNode) header.get("route");
      var topic = route.remove(route.size() - 1).asText();
      ((ArrayNode) header.get("historical_route")).add(topic);
      ((ObjectNode) envelope.get("payload")).put("seen", true);
      return new Hop(topic, JSON.writeValueAsBytes(envelope));
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  /** A line for each line asked, as peers/answer.ts has it, until the bench hangs up. */
  private static void answer(long begun) throws IOException {
    var questions = new BufferedReader(new InputStreamReader(System.in));
    while (questions.readLine() != null) {
      var cpuSeconds = (SYSTEM.getProcessCpuTime() - begun) / 1e9;
      System.out.printf(Locale.ROOT, "{\"cpuSeconds\":%f,\"memoryMB\":%f}%n", cpuSeconds, peakMemoryMB());
    }
  }

  private static double peakMemoryMB() throws IOException {
    var peak = Files.readAllLines(Path.of("/proc/self/status")).stream().filter(line -> line.startsWith("VmHWM"));
    return Double.parseDouble(peak.findFirst().orElseThrow().replaceAll("[^0-9]", "")) / 1024;
  }
}
