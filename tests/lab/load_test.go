package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// loaded is what a server is asked to make, by path and name.
func loaded(t *testing.T, objects int) map[string]string {
	t.Helper()
	var mu sync.Mutex
	made := map[string]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodGet {
			io.WriteString(w, `{"items":[]}`)
			return
		}
		text, _ := io.ReadAll(r.Body)
		var object struct{ Metadata struct{ Name string } }
		if err := json.Unmarshal(text, &object); err != nil {
			t.Error(err)
		}
		key := r.URL.Path + "/" + object.Metadata.Name
		if made[key] != "" {
			w.WriteHeader(http.StatusConflict)
		}
		made[key] = string(text)
		json.NewEncoder(w).Encode(map[string]any{"metadata": map[string]any{"uid": "uid-of-" + object.Metadata.Name}})
	}))
	defer server.Close()
	n, err := load(context.Background(), newKube(server.URL, "", nil), objects)
	if err != nil || n != objects {
		t.Fatalf("made %d, %v", n, err)
	}
	return made
}

func TestTheLoadIsTheSameEveryTime(t *testing.T) {
	one, two := loaded(t, 1234), loaded(t, 1234)
	if len(one) != 1234+loadNamespaces {
		t.Errorf("%d different objects", len(one))
	}
	for key, text := range one {
		if two[key] != text {
			t.Fatalf("%s: %s, then %s", key, text, two[key])
		}
	}
}

func TestTheLoadHasOwnersByUID(t *testing.T) {
	made := loaded(t, len(loadKinds))
	const path = coreV1 + "/namespaces/load-00/configmaps/settings-cache-0000"
	if text := made[path]; !strings.Contains(text, `"uid":"uid-of-settings-0000"`) {
		t.Errorf("%s: %s", path, text)
	}
}
