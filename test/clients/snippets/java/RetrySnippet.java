final class RetrySnippet {
  public static void main(String[] args) throws Exception {
    Report.run(
        Report.WORKERS,
        () -> {
          if (Retry.retried(Orders::count) == 0) throw new IllegalStateException("no orders");
          return Retry.retried(OrdersSnippet::user);
        });
    Orders.POOL.close();
  }
}
