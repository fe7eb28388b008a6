package clv.bench;

import java.nio.ByteBuffer;

/** Five aggregates of one customer, stored as forty bytes. */
public final class Totals {
  private static final int BYTES = 5 * Long.BYTES;

  long orders;
  long firstAt = Long.MAX_VALUE;
  long lastAt = Long.MIN_VALUE;
  long spendMinor;
  long largestMinor;

  Totals plus(Purchase purchase) {
    orders += 1;
    firstAt = Math.min(firstAt, purchase.occurred_at);
    lastAt = Math.max(lastAt, purchase.occurred_at);
    spendMinor += purchase.amount_minor;
    largestMinor = Math.max(largestMinor, purchase.amount_minor);
    return this;
  }

  static byte[] encode(Totals totals) {
    return ByteBuffer.allocate(BYTES)
        .putLong(totals.orders)
        .putLong(totals.firstAt)
        .putLong(totals.lastAt)
        .putLong(totals.spendMinor)
        .putLong(totals.largestMinor)
        .array();
  }

  static Totals decode(byte[] bytes) {
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    Totals totals = new Totals();
    totals.orders = buffer.getLong();
    totals.firstAt = buffer.getLong();
    totals.lastAt = buffer.getLong();
    totals.spendMinor = buffer.getLong();
    totals.largestMinor = buffer.getLong();
    return totals;
  }
}
