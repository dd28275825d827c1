final class OrdersSnippet {
  public static void main(String[] args) throws Exception {
    Report.run(
        Report.WORKERS,
        () -> {
          if (Orders.count() == 0) throw new IllegalStateException("no orders");
          return user();
        });
    Orders.POOL.close();
  }

  static String user() throws Exception {
    try (var connection = Orders.POOL.getConnection();
        var rows = connection.createStatement().executeQuery("select current_user")) {
      rows.next();
      return rows.getString(1);
    }
  }
}
