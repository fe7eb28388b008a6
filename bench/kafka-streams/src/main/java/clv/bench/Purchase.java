package clv.bench;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;

/** What the small job reads of an event; Jackson skips the other fields. */
@JsonIgnoreProperties(ignoreUnknown = true)
public final class Purchase {
  public long occurred_at;
  public long amount_minor;
}
