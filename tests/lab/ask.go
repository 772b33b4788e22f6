package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// runAsk sends one request to a site as the lab's own user and prints the answer: the
// hand that breaks things, and the eye that is not lifeboat's. A method that changes
// something reads its body from standard input.
func runAsk(at layout, site, method, path string) error {
	lab, err := readDescription(at)
	if err != nil {
		return err
	}
	one, ok := lab.Sites[site]
	if !ok {
		return fmt.Errorf("no site %q in this lab", site)
	}
	client, err := one.client()
	if err != nil {
		return err
	}
	var body []byte
	kind := ""
	switch strings.ToUpper(method) {
	case "GET", "DELETE":
	case "PATCH":
		kind = "application/merge-patch+json"
	case "POST", "PUT":
		kind = "application/json"
	default:
		return fmt.Errorf("unknown method %q", method)
	}
	if kind != "" {
		if body, err = io.ReadAll(os.Stdin); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	var answer json.RawMessage
	if err := client.do(ctx, strings.ToUpper(method), path, kind, body, &answer); err != nil {
		return err
	}
	fmt.Println(string(answer))
	return nil
}
