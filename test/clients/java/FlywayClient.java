import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.flywaydb.core.Flyway;

/** Flyway: one more migration each time, and the table of all migrations read again. */
final class FlywayClient {
  public static void main(String[] args) throws Exception {
    var folder = Files.createDirectory(Path.of(System.getenv("END_FILE") + ".migrations"));
    var version = new AtomicInteger();
    Report.run(
        1,
        () -> {
          var file = "V%d__more.sql".formatted(version.incrementAndGet());
          Files.writeString(folder.resolve(file), "update orders set customer = customer where id = 1;\n");
          var flyway =
              Flyway.configure()
                  .dataSource(Report.jdbcUrl(), null, null)
                  .locations("filesystem:" + folder)
                  .load();
          flyway.migrate();
          return flyway.info().current().getInstalledBy();
        });
  }
}
