import com.amazonaws.secretsmanager.caching.SecretCacheConfiguration;
import com.amazonaws.secretsmanager.sql.AWSSecretsManagerPostgreSQLDriver;
import com.amazonaws.secretsmanager.util.JDBCSecretCacheBuilderProvider;
import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.sql.DriverManager;
import java.util.Collections;

/** AWS's JDBC driver, which takes a secret's name as the user and follows its versions. */
final class SecretsClient {
  public static void main(String[] args) throws Exception {
    shortenCache();
    var config = new HikariConfig();
    config.setJdbcUrl(
        "jdbc-secretsmanager:postgresql://%s:%s/%s?sslmode=verify-full&sslrootcert=%s"
            .formatted(
                System.getenv("PGHOST"),
                System.getenv("PGPORT"),
                System.getenv("PGDATABASE"),
                System.getenv("PGSSLROOTCERT")));
    config.setUsername(System.getenv("SECRET_ID"));
    config.setMaximumPoolSize(Report.WORKERS);
    config.setMaxLifetime(Math.max(30_000, Report.milliseconds("LIFETIME_SECONDS")));
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

  /** Instead of an hour, which only a lease of several hours is long enough for. */
  private static void shortenCache() throws Exception {
    Class.forName(AWSSecretsManagerPostgreSQLDriver.class.getName());
    for (var driver : Collections.list(DriverManager.getDrivers()))
      if (driver instanceof AWSSecretsManagerPostgreSQLDriver) DriverManager.deregisterDriver(driver);
    var milliseconds = Report.milliseconds("CLIENT_CACHE_SECONDS");
    var client = new JDBCSecretCacheBuilderProvider().build().build();
    var cache = new SecretCacheConfiguration().withCacheItemTTL(milliseconds).withClient(client);
    DriverManager.registerDriver(new AWSSecretsManagerPostgreSQLDriver(cache));
  }
}
