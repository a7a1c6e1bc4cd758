// Reads cases from stdin and answers each: what the official library says, what the example says, how the library signs.
package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"streamer.test/interop/webhook"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<24)
	for lines.Scan() {
		answer(strings.Split(lines.Text(), "\t"))
	}
	if err := lines.Err(); err != nil {
		panic(err)
	}
}

func answer(fields []string) {
	check, secret, id, timestamp, signature := fields[1], fields[2], fields[3], fields[4], fields[5]
	body, err := base64.StdEncoding.DecodeString(fields[6])
	if err != nil {
		panic(err)
	}
	header := http.Header{}
	header.Set("webhook-id", id)
	header.Set("webhook-timestamp", timestamp)
	header.Set("webhook-signature", signature)
	library, signed := "-", "-"
	if fields[7] == "1" && strings.HasPrefix(check, "whsec_") {
		library = verdict(verifier(check).Verify(body, header))
		seconds, err := strconv.ParseInt(timestamp, 10, 64)
		if err != nil {
			panic(err)
		}
		if signed, err = verifier(secret).Sign(id, time.Unix(seconds, 0), body); err != nil {
			panic(err)
		}
	}
	fmt.Printf("%s\t%s\t%s\t%s\n", fields[0], library, verdict(webhook.Verify(check, header, body, time.Now())), signed)
}

func verifier(secret string) *standardwebhooks.Webhook {
	found, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		panic(err)
	}
	return found
}

func verdict(err error) string {
	if err != nil {
		return "refused"
	}
	return "ok"
}
