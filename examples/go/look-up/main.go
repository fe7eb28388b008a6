// Looks a customer's score up in Redis, and shows whom to call first.
//
//	go run ./look-up -customer 42
//	go run ./look-up -first 10
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// score is as much of a score as is shown here; docs/subscribers.md and `clv schema` have all of it.
type score struct {
	CustomerID    string     `json:"customer_id"`
	Revision      int64      `json:"revision"`
	ValidUntil    *time.Time `json:"valid_until"` // nil: silence will change nothing
	Currency      string     `json:"currency"`
	Tier          string     `json:"tier"`
	ChurnLevel    string     `json:"churn_level"`
	TotalCLVMinor int64      `json:"total_clv_minor"`
}

var errNoScore = errors.New("no score")

func lookUp(ctx context.Context, client *redis.Client, prefix, customer string) (score, error) {
	var found score
	value, err := client.Get(ctx, prefix+"score:"+customer).Bytes()
	if errors.Is(err, redis.Nil) {
		return found, errNoScore
	}
	if err != nil {
		return found, err
	}
	return found, json.Unmarshal(value, &found)
}

// fail ends the program in one sentence.
func fail(err error) {
	log.Fatalf("Redis did not answer: %v. Does -redis say where it is, with its password?", err)
}

func main() {
	log.SetFlags(0)
	logging.Disable() // what goes wrong is told once, at the end
	url := flag.String("redis", "redis://localhost:6379/0", "Redis")
	prefix := flag.String("prefix", "clv:", "of the keys")
	customer := flag.String("customer", "", "whom to look up")
	first := flag.Int64("first", 0, "the first N to call")
	flag.Parse()
	options, err := redis.ParseURL(*url)
	if err != nil {
		log.Fatalf("-redis: %v", err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()

	if *first > 0 {
		ranked, err := client.ZRevRangeWithScores(ctx, *prefix+"rank:risk", 0, *first-1).Result()
		if err != nil {
			fail(err)
		}
		for _, row := range ranked {
			fmt.Printf("%12.0f  %s\n", row.Score, row.Member)
		}
		return
	}
	found, err := lookUp(ctx, client, *prefix, *customer)
	if errors.Is(err, errNoScore) {
		log.Fatalf("There is no score of customer %s.", *customer)
	}
	if err != nil {
		fail(err)
	}
	// The workers write a new score when this one ends; one that is overdue says they do not run.
	overdue := ""
	if found.ValidUntil != nil && found.ValidUntil.Before(time.Now()) {
		overdue = "  (overdue)"
	}
	fmt.Printf("%s, churn level %s%s\n", found.Tier, found.ChurnLevel, overdue)
	fmt.Printf("total value %d minor units of %s\n", found.TotalCLVMinor, found.Currency)
}
