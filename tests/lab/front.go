package main

import (
	"fmt"
	"net"
	"net/http"
	"regexp"
)

// The front stands for a site's way in. It answers from the live Deployment at every
// request, so a probe through it proves that the application runs there now.
func (s *site) openFront(p *ports) (net.Listener, error) {
	l, err := p.listen()
	if err != nil {
		return nil, fmt.Errorf("opening the front of %s: %w", s.name, err)
	}
	s.front = "http://" + l.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{namespace}/healthz", s.health)
	go http.Serve(l, mux)
	return l, nil
}

var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func (s *site) health(w http.ResponseWriter, r *http.Request) {
	namespace := r.PathValue("namespace")
	if !label.MatchString(namespace) {
		http.Error(w, "not a namespace", http.StatusBadRequest)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	d, err := s.admin.deployment(r.Context(), namespace, "web")
	wanted, ready := d.wanted(), d.Status.ReadyReplicas
	switch {
	case missing(err):
		http.Error(w, "no deployment web in namespace "+namespace, http.StatusServiceUnavailable)
	case err != nil:
		http.Error(w, fmt.Sprintf("no answer from the API server of %s: %v", s.name, err), http.StatusServiceUnavailable)
	case ready < 1 || ready != wanted:
		http.Error(w, fmt.Sprintf("%d of %d replicas ready", ready, wanted), http.StatusServiceUnavailable)
	default:
		fmt.Fprintln(w, "ok")
	}
}
