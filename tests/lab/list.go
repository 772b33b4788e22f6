package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
)

// A listed object is one object of a site, as the API server gives it.
type listed struct {
	kind kind
	body map[string]any
}

// A kind is one kind of a site's API, in the version that the server prefers.
type kind struct {
	name       string // "ConfigMap", "Deployment.apps"
	plural     string // "configmaps", "deployments.apps"
	path       string // where all of its objects are listed
	namespaced bool
}

func (l listed) head() map[string]any { return inside(l.body, "metadata") }
func (l listed) name() string         { return text(l.head(), "name") }
func (l listed) namespace() string    { return text(l.head(), "namespace") }

// inside and text read a tree of JSON; what is not there, or something else, is empty.
func inside(object map[string]any, key string) map[string]any {
	found, _ := object[key].(map[string]any)
	return found
}

func text(object map[string]any, key string) string {
	found, _ := object[key].(string)
	return found
}

// kinds asks a site what it has, one group at a time. A group that does not answer is an
// error: a comparison that leaves something out unsaid proves nothing.
func (k *kube) kinds(ctx context.Context) ([]kind, error) {
	var groups struct {
		Groups []struct {
			Name             string
			PreferredVersion struct{ GroupVersion string }
		}
	}
	if err := k.get(ctx, "/apis", &groups); err != nil {
		return nil, err
	}
	all, err := k.kindsOf(ctx, "", coreV1)
	for _, group := range groups.Groups {
		if err != nil {
			return nil, err
		}
		var more []kind
		more, err = k.kindsOf(ctx, group.Name, "/apis/"+group.PreferredVersion.GroupVersion)
		all = append(all, more...)
	}
	return all, err
}

func (k *kube) kindsOf(ctx context.Context, group, root string) ([]kind, error) {
	var served struct {
		Resources []struct {
			Name, Kind string
			Namespaced bool
			Verbs      []string
		}
	}
	if err := k.get(ctx, root, &served); err != nil {
		return nil, fmt.Errorf("%s: %w", root, err)
	}
	suffix := ""
	if group != "" {
		suffix = "." + group
	}
	var all []kind
	for _, r := range served.Resources {
		if !strings.Contains(r.Name, "/") && strings.Contains(" "+strings.Join(r.Verbs, " ")+" ", " list ") {
			all = append(all, kind{r.Kind + suffix, r.Name + suffix, root + "/" + r.Name, r.Namespaced})
		}
	}
	return all, nil
}

// everything lists every object of every kind of a site.
func (k *kube) everything(ctx context.Context) ([]listed, error) {
	kinds, err := k.kinds(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	found := make([][]listed, len(kinds))
	slots := make(chan struct{}, 8)
	var wg sync.WaitGroup
	for i, one := range kinds {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			var err error
			if found[i], err = k.list(ctx, one); err != nil {
				cancel(fmt.Errorf("listing %s: %w", one.plural, err)) // the first one counts
			}
		})
	}
	wg.Wait()
	var all []listed
	for _, some := range found {
		all = append(all, some...)
	}
	return all, context.Cause(ctx)
}

func (k *kube) list(ctx context.Context, of kind) ([]listed, error) {
	var all []listed
	for next := ""; ; {
		var page struct {
			Metadata struct{ Continue string }
			Items    []json.RawMessage
		}
		if err := k.get(ctx, of.path+"?limit=500&continue="+url.QueryEscape(next), &page); err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			one := listed{kind: of}
			exact := json.NewDecoder(bytes.NewReader(item))
			exact.UseNumber() // an int64 is not a float64
			if err := exact.Decode(&one.body); err != nil {
				return nil, err
			}
			all = append(all, one)
		}
		if next = page.Metadata.Continue; next == "" {
			return all, nil
		}
	}
}
