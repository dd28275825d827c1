import java.sql.SQLException;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.jdbc.core.JdbcTemplate;

/** An application of Spring Boot, which finds its pool in application.properties. */
@SpringBootConfiguration
@EnableAutoConfiguration
public class SpringSnippet {
  public static void main(String[] args) throws Exception {
    try (var context = SpringApplication.run(SpringSnippet.class, args)) {
      var jdbc = context.getBean(JdbcTemplate.class);
      Report.run(
          Report.WORKERS,
          () -> {
            try {
              return jdbc.queryForObject("select current_user from orders limit 1", String.class);
            } catch (RuntimeException error) {
              throw error.getCause() instanceof SQLException below ? below : error;
            }
          });
    }
  }
}
