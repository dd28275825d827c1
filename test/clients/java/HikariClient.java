import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;

/** HikariCP, whose shortest lifetime of a connection is 30 seconds. */
final class HikariClient {
  public static void main(String[] args) throws Exception {
    var config = new HikariConfig();
    config.setJdbcUrl(Report.jdbcUrl());
    config.setMaximumPoolSize(Report.WORKERS);
    var lifetime = Report.milliseconds("LIFETIME_SECONDS");
    if (lifetime > 0) config.setMaxLifetime(Math.max(30_000, lifetime));
    try (var pool = new HikariDataSource(config)) {
      Report.run(
          Report.WORKERS,
          () -> {
            try (var connection = pool.getConnection();
                var statement =
                    connection.prepareStatement("select current_user from orders where id > ?")) {
              statement.setInt(1, 0);
              var rows = statement.executeQuery();
              rows.next();
              return rows.getString(1);
            }
          });
    }
  }
}
