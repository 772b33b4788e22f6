package main

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
)

// A control is where commands ask the supervisor to start and end servers beside the
// sites, so that those end with the lab like everything else.
type control struct {
	ctx      context.Context
	children *children
	sites    map[string]*site
	stores   map[string]*store
	token    string
	mu       sync.Mutex
	busy     map[string]*sync.Mutex // one order at a time for each site
}

// door is how lab.json tells commands to reach the control.
type door struct {
	URL   string `json:"url"`
	Token string `json:"token"`
}

func newControl(ctx context.Context, c *children, sites []*site, stores []*store) *control {
	made := &control{ctx: ctx, children: c, token: secret(), sites: map[string]*site{}, stores: map[string]*store{}, busy: map[string]*sync.Mutex{}}
	for _, s := range sites {
		made.sites[s.name], made.busy[s.name] = s, &sync.Mutex{}
	}
	for _, s := range stores {
		made.stores[s.name] = s
	}
	return made
}

func (c *control) open(p *ports) (net.Listener, door, error) {
	l, err := p.listen()
	if err != nil {
		return nil, door{}, fmt.Errorf("opening the control: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /velero/up", c.order(c.veleroUp))
	mux.HandleFunc("POST /velero/down", c.order(c.veleroDown))
	mux.HandleFunc("POST /velero/again", c.order(c.veleroAgain))
	go http.Serve(l, mux)
	return l, door{"http://" + l.Addr().String(), c.token}, nil
}

// order decodes who is to run what where, holds the site, and answers with one sentence.
func (c *control) order(do func(context.Context, *site, veleroOrder) (string, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+c.token)) != 1 {
			http.Error(w, "another lab's token", http.StatusUnauthorized)
			return
		}
		var o veleroOrder
		if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s := c.sites[o.Site]
		if s == nil {
			http.Error(w, fmt.Sprintf("no site %q in this lab", o.Site), http.StatusNotFound)
			return
		}
		c.busy[o.Site].Lock()
		defer c.busy[o.Site].Unlock()
		// The lab's life, not the caller's: half of a start helps nobody.
		said, err := do(c.ctx, s, o)
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		fmt.Fprintln(w, said)
	}
}

// send gives an order to the supervisor of a running lab.
func (d door) send(path string, o veleroOrder) (string, error) {
	if d.URL == "" {
		return "", errors.New("this lab was started by an older lab program: end it and start it again")
	}
	body, err := json.Marshal(o)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequest(http.MethodPost, d.URL+path, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+d.Token)
	res, err := (&http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return "", fmt.Errorf("the lab's supervisor does not answer: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 300 {
		err = errors.New(string(bytes.TrimSpace(text)))
	}
	return string(bytes.TrimSpace(text)), err
}
