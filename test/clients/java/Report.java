import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;

/** What every client program does around its driver: keep time, count, and say what failed. */
final class Report {
  private static final AtomicInteger statements = new AtomicInteger();
  private static final Set<String> users = new ConcurrentSkipListSet<>();

  static final int WORKERS = Integer.parseInt(System.getenv("WORKERS"));

  /** A length of the environment, in milliseconds. */
  static long milliseconds(String name) {
    return (long) (Double.parseDouble(System.getenv(name)) * 1_000);
  }

  /** A JDBC URL, with a user and a password that the server does not know. */
  static String jdbcUrl() {
    return "jdbc:postgresql://%s:%s/%s?user=%s&password=%s"
        .formatted(
            System.getenv("PGHOST"),
            System.getenv("PGPORT"),
            System.getenv("PGDATABASE"),
            System.getenv("PGUSER"),
            System.getenv("PGPASSWORD"));
  }

  private static boolean goesOn() {
    return !Files.exists(Path.of(System.getenv("END_FILE")));
  }

  private static synchronized void did(String user) {
    if (statements.getAndIncrement() == 0) System.out.println("ready");
    if (users.add(user)) System.out.println("user " + user);
  }

  private static synchronized void failed(Exception error) {
    var state = error instanceof SQLException e ? e.getSQLState() : "";
    var words = String.valueOf(error.getMessage()).replace('\n', ' ');
    System.out.printf("failed %s %s %s%n", error.getClass().getSimpleName(), state, words);
  }

  /** Repeat work in threads until the end. It answers with the user, or throws. */
  static void run(int workers, Callable<String> work) throws InterruptedException {
    var shortest = milliseconds("MIN_PAUSE_SECONDS");
    var longest = milliseconds("MAX_PAUSE_SECONDS");
    var threads = new Thread[workers];
    for (var i = 0; i < workers; i++) {
      threads[i] =
          new Thread(
              () -> {
                while (goesOn()) {
                  try {
                    did(work.call());
                  } catch (Exception error) {
                    failed(error);
                  }
                  try {
                    Thread.sleep(ThreadLocalRandom.current().nextLong(shortest, longest));
                  } catch (InterruptedException interrupted) {
                    return;
                  }
                }
              });
      threads[i].start();
    }
    for (var thread : threads) thread.join();
    System.out.printf("done %d %s%n", statements.get(), String.join(",", users));
  }
}
