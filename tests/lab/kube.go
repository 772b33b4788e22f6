package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// kube is a small client of one API server.
type kube struct {
	url   string
	token string
	http  *http.Client
}

func newKube(url, token string, ca []byte) *kube {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &kube{url, token, &http.Client{
		Timeout: 15 * time.Second,
		Transport: &http.Transport{
			Proxy:             nil, // loopback is nobody else's business
			TLSClientConfig:   &tls.Config{RootCAs: pool},
			ForceAttemptHTTP2: true,
		},
	}}
}

// A refusal is an answer of the API server that is not a success.
type refusal struct {
	status  int
	message string
}

func (r *refusal) Error() string { return fmt.Sprintf("%d %s", r.status, r.message) }

func missing(err error) bool {
	r, ok := err.(*refusal)
	return ok && r.status == http.StatusNotFound
}

// exists: what was to be made is there already.
func exists(err error) bool {
	r, ok := err.(*refusal)
	return ok && r.status == http.StatusConflict
}

func (k *kube) do(ctx context.Context, method, path, kind string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, k.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+k.token)
	req.Header.Set("Accept", "application/json")
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	res, err := k.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		var said struct{ Message string }
		if json.Unmarshal(text, &said) != nil || said.Message == "" {
			said.Message = string(bytes.TrimSpace(text))
		}
		return &refusal{res.StatusCode, said.Message}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

func (k *kube) get(ctx context.Context, path string, into any) error {
	return k.do(ctx, http.MethodGet, path, "", nil, into)
}

// ready asks with a token: an API server of another lab refuses it, one that is not ours
// fails the certificate check before.
func (k *kube) ready(ctx context.Context) error {
	return k.do(ctx, http.MethodGet, "/readyz", "", nil, nil)
}

// A deployment is what the lab needs to know of one.
type deployment struct {
	Spec   struct{ Replicas *int }
	Status struct{ ReadyReplicas int }
}

func (d deployment) wanted() int {
	if d.Spec.Replicas == nil {
		return 1 // the API server fills it in; this is what it would fill in
	}
	return *d.Spec.Replicas
}

func (k *kube) deployment(ctx context.Context, namespace, name string) (deployment, error) {
	var d deployment
	err := k.get(ctx, "/apis/apps/v1/namespaces/"+namespace+"/deployments/"+name, &d)
	return d, err
}

// until repeats a question until it is answered without an error, and names the last
// error if that takes too long.
func until(ctx context.Context, within time.Duration, what string, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var last error
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not in %s: %w", what, within, last)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
