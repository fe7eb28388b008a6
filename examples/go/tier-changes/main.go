// Follows tier changes: from a snapshot of clv.scores to the live changes, each of them once.
//
//	go run ./tier-changes -bootstrap localhost:9092
//
// It keeps everything in memory, and so begins with a snapshot whenever it is started: right for
// a cache or a live display. What must handle each change that happened while it was down, too,
// keeps positions and ids like examples/python/tier_changes.py. docs/subscribers.md says why it
// is done in this order.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const idsRemembered = 100_000

type score struct {
	Tier string `json:"tier"`
}

type change struct {
	ID         string  `json:"id"`
	CustomerID string  `json:"customer_id"`
	From       *string `json:"from"` // nil: the customer's first tier
	To         string  `json:"to"`
	Cause      string  `json:"cause"`
	CrossedAt  string  `json:"crossed_at"`
}

// memory holds the last ids, so that a change that was published again is not handled again.
type memory struct {
	known map[string]struct{}
	ring  []string
	next  int
}

func newMemory(size int) *memory {
	return &memory{known: make(map[string]struct{}, size), ring: make([]string, size)}
}

// isNew tells whether an id comes for the first time.
func (m *memory) isNew(id string) bool {
	if _, seen := m.known[id]; seen {
		return false
	}
	delete(m.known, m.ring[m.next])
	m.ring[m.next] = id
	m.known[id] = struct{}{}
	m.next = (m.next + 1) % len(m.ring)
	return true
}

// reader of what is committed, from given offsets. Markers of transactions are kept, as they tell
// how far it has come.
func reader(bootstrap, topic string, from map[int32]kgo.Offset) (*kgo.Client, error) {
	return kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.KeepControlRecords(),
	)
}

func offsets(listed kadm.ListedOffsets, topic string) map[int32]int64 {
	found := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) {
		if o.Topic == topic {
			found[o.Partition] = o.Offset
		}
	})
	return found
}

// snapshot returns everyone's tier now, and the offsets in the changes from which to go on.
func snapshot(ctx context.Context, bootstrap, scores, changes string) (map[string]string, map[int32]int64, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return nil, nil, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)

	// First the position in the changes, then the scores: a change between the two is seen twice,
	// which is harmless, and none is missed. The scores are read up to what was written by now
	// (ListEndOffsets), not only what can be read already (ListCommittedOffsets), as a
	// transaction's records become readable topic by topic.
	committed, err := admin.ListCommittedOffsets(ctx, changes)
	if err = errors.Join(err, committed.Error()); err != nil {
		return nil, nil, err
	}
	written, err := admin.ListEndOffsets(ctx, scores)
	if err = errors.Join(err, written.Error()); err != nil {
		return nil, nil, err
	}

	ahead := offsets(written, scores)
	from := map[int32]kgo.Offset{}
	for partition, end := range ahead {
		from[partition] = kgo.NewOffset().AtStart()
		if end == 0 {
			delete(ahead, partition)
		}
	}
	source, err := reader(bootstrap, scores, from)
	if err != nil {
		return nil, nil, err
	}
	defer source.Close()

	tiers := map[string]string{}
	for len(ahead) > 0 {
		fetches := source.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, nil, err
		}
		var bad error
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= ahead[r.Partition] {
				delete(ahead, r.Partition)
			}
			if r.Attrs.IsControl() {
				return
			}
			if r.Value == nil { // the customer was erased
				delete(tiers, string(r.Key))
				return
			}
			var s score
			if err := json.Unmarshal(r.Value, &s); err != nil {
				bad = fmt.Errorf("%s-%d at %d: %w", r.Topic, r.Partition, r.Offset, err)
				return
			}
			tiers[string(r.Key)] = s.Tier
		})
		if bad != nil {
			return nil, nil, bad
		}
	}
	return tiers, offsets(committed, changes), nil
}

// follow handles each change once, until the context ends.
func follow(ctx context.Context, bootstrap, changes string, positions map[int32]int64, tiers map[string]string) error {
	from := map[int32]kgo.Offset{}
	for partition, position := range positions {
		from[partition] = kgo.NewOffset().At(position)
	}
	source, err := reader(bootstrap, changes, from)
	if err != nil {
		return err
	}
	defer source.Close()

	ids := newMemory(idsRemembered)
	for {
		fetches := source.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return err
		}
		var bad error
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Attrs.IsControl() {
				return
			}
			var c change
			if err := json.Unmarshal(r.Value, &c); err != nil {
				bad = fmt.Errorf("%s-%d at %d: %w", r.Topic, r.Partition, r.Offset, err)
				return
			}
			if ids.isNew(c.ID) {
				tiers[c.CustomerID] = c.To
				handle(c)
			}
		})
		if bad != nil {
			return bad
		}
	}
}

// handle is where to do what is to be done about a change.
func handle(c change) {
	from := "new"
	if c.From != nil {
		from = *c.From
	}
	fmt.Printf("%s  customer %s: %s -> %s (%s)\n", c.CrossedAt, c.CustomerID, from, c.To, c.Cause)
}

func main() {
	bootstrap := flag.String("bootstrap", "localhost:9092", "Kafka")
	scores := flag.String("scores", "clv.scores", "topic with the scores")
	changes := flag.String("changes", "clv.tier-changes", "topic with the changes")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	tiers, positions, err := snapshot(ctx, *bootstrap, *scores, *changes)
	if err != nil {
		log.Fatalf("no snapshot: %v", err)
	}
	fmt.Printf("snapshot: %d customers\n", len(tiers))
	if err := follow(ctx, *bootstrap, *changes, positions, tiers); err != nil {
		log.Fatalf("reading %s: %v", *changes, err)
	}
}
