// Package webhook tells whether a call is signed by Streamer (Standard Webhooks 1.0.0). Standard library only.
package webhook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const tolerance = 5 * time.Minute

// Verify returns nil for a call that is signed with the key ("whsec_..." or "whpk_...") and no older than five minutes.
// body is what was received, byte by byte, before anything was parsed.
func Verify(key string, header http.Header, body []byte, now time.Time) error {
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseUint(timestamp, 10, 48)
	if id == "" || strings.Contains(id, ".") || err != nil {
		return errors.New("webhook-id or webhook-timestamp is missing or malformed")
	}
	if age := now.Sub(time.Unix(int64(seconds), 0)); age > tolerance || age < -tolerance {
		return fmt.Errorf("webhook-timestamp is %s from now", age)
	}
	version, fits, err := checkOf(key, append([]byte(id+"."+timestamp+"."), body...))
	if err != nil {
		return err
	}
	// During a change of keys there are several signatures, one space between them. Entries of other kinds are none of ours.
	for _, entry := range strings.Split(header.Get("webhook-signature"), " ") {
		if kind, signature, _ := strings.Cut(entry, ","); kind == version && fits(signature) {
			return nil
		}
	}
	return errors.New("no signature is by this key over this id, timestamp and body")
}

func checkOf(key string, content []byte) (version string, fits func(signature string) bool, err error) {
	if public, isPublic := strings.CutPrefix(key, "whpk_"); isPublic {
		raw, err := base64.StdEncoding.DecodeString(public)
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return "", nil, errors.New("the public key is malformed")
		}
		return "v1a", func(signature string) bool {
			given, err := base64.StdEncoding.DecodeString(signature)
			return err == nil && ed25519.Verify(raw, content, given)
		}, nil
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(key, "whsec_"))
	if err != nil || len(raw) == 0 {
		return "", nil, errors.New("the secret is malformed")
	}
	mac := hmac.New(sha256.New, raw)
	mac.Write(content)
	expected := mac.Sum(nil)
	return "v1", func(signature string) bool {
		given, err := base64.StdEncoding.DecodeString(signature)
		return err == nil && hmac.Equal(given, expected)
	}, nil
}
