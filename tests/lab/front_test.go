package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestFrontAnswersFromTheLiveDeployment(t *testing.T) {
	live := ""
	status := http.StatusOK
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/apis/apps/v1/namespaces/shop/deployments/web" {
			status, live = http.StatusNotFound, `{"message":"none"}`
		}
		w.WriteHeader(status)
		fmt.Fprint(w, live)
	}))
	defer api.Close()
	s := newSite("east", 1)
	s.admin = newKube(api.URL, "token", nil)
	front, err := s.openFront(&ports{})
	if err != nil {
		t.Fatal(err)
	}
	defer front.Close()
	for _, c := range []struct {
		live   string
		status int
		want   string
	}{
		{`{"spec":{"replicas":3},"status":{"readyReplicas":3}}`, 200, "200 ok"},
		{`{"spec":{"replicas":3},"status":{"readyReplicas":2}}`, 200, "503 2 of 3 replicas ready"},
		{`{"spec":{"replicas":3},"status":{}}`, 200, "503 0 of 3 replicas ready"},
		{`{"spec":{"replicas":0},"status":{}}`, 200, "503 0 of 0 replicas ready"},
		{`{"spec":{"replicas":1},"status":{"readyReplicas":3}}`, 200, "503 3 of 1 replicas ready"},
		{`{"message":"not found"}`, 404, "503 no deployment web in namespace shop"},
		{`{"message":"etcd is gone"}`, 500, "503 no answer from the API server of east: 500 etcd is gone"},
	} {
		live, status = c.live, c.status
		if got := ask(s.front + "/shop/healthz"); got != c.want {
			t.Errorf("%s: got %q, want %q", c.live, got, c.want)
		}
	}
	if got := ask(s.front + "/other/healthz"); got != "503 no deployment web in namespace other" {
		t.Errorf("got %q", got)
	}
	if got := ask(s.front + "/No%2fSpace/healthz"); got != "400 not a namespace" {
		t.Errorf("got %q", got)
	}
}
