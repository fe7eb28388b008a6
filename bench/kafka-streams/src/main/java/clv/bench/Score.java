package clv.bench;

/** What the small job publishes of a customer: the aggregates and the formula of them. */
public final class Score {
  private static final double R = 0.243;
  private static final double ALPHA_DAYS = 4.414;
  private static final double MS_PER_DAY = 86_400_000.0;
  private static final double HORIZON_DAYS = 365.0;

  public long orders;
  public long first_at;
  public long last_at;
  public long spend_minor;
  public long largest_minor;
  public double clv;

  static Score of(Totals totals) {
    Score score = new Score();
    score.orders = totals.orders;
    score.first_at = totals.firstAt;
    score.last_at = totals.lastAt;
    score.spend_minor = totals.spendMinor;
    score.largest_minor = totals.largestMinor;
    double ageDays = (totals.lastAt - totals.firstAt) / MS_PER_DAY + 1.0;
    double rate = (R + totals.orders) / (ALPHA_DAYS + ageDays);
    score.clv = rate * HORIZON_DAYS * totals.spendMinor / totals.orders;
    return score;
  }
}
