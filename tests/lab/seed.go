package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// shopPlaybook is whose sample application a lab begins with.
const shopPlaybook = "shop"

// runSeed applies the sample application of a playbook to a running lab.
func runSeed(at layout, repo, playbook string) error {
	d, err := readDescription(at)
	if err != nil {
		return err
	}
	if repo, err = findRepo(repo); err != nil {
		return err
	}
	sites := map[string]*kube{}
	for name, s := range d.Sites {
		if sites[name], err = s.client(); err != nil {
			return err
		}
	}
	return seed(context.Background(), repo, playbook, sites, func(line string) { fmt.Println(line) })
}

func readDescription(at layout) (description, error) {
	var d description
	text, err := os.ReadFile(at.path(labFile))
	if os.IsNotExist(err) {
		return d, fmt.Errorf("no lab runs in %s", at.dir)
	}
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	return d, err
}

// seed gives both sites what the applications of a playbook expect of their platform, and
// east the applications, and returns when they have settled.
func seed(ctx context.Context, repo, playbook string, sites map[string]*kube, say func(string)) error {
	folder := filepath.Join(repo, "playbooks", playbook)
	began := time.Now()
	for _, name := range siteNames {
		if _, err := applyFile(ctx, sites[name], filepath.Join(folder, "platform.yaml")); err != nil {
			return fmt.Errorf("seeding %s: %w", name, err)
		}
	}
	east := sites["east"]
	applied, err := applyFile(ctx, east, filepath.Join(folder, "app.yaml"))
	if err != nil {
		return fmt.Errorf("seeding east: %w", err)
	}
	ready := 0
	for _, m := range applied {
		err := until(ctx, time.Minute, m.String()+" on east", func(ctx context.Context) error {
			n, err := settled(ctx, east, m)
			ready += n
			return err
		})
		if err != nil {
			return err
		}
	}
	say(fmt.Sprintf("Seeded: the applications of playbooks/%s run on east with %d ready replicas (%s).", playbook, ready, took(began)))
	return nil
}

// settled says whether controllers have done with an object what they do, and how many
// replicas of it are ready.
func settled(ctx context.Context, k *kube, m manifest) (int, error) {
	switch m.kind {
	case "Deployment":
		d, err := k.deployment(ctx, m.namespace, m.name)
		if err != nil {
			return 0, err
		}
		if d.Status.ReadyReplicas != d.wanted() {
			return 0, fmt.Errorf("%d of %d replicas ready", d.Status.ReadyReplicas, d.wanted())
		}
		return d.wanted(), nil
	case "PersistentVolumeClaim":
		var claim struct{ Status struct{ Phase string } }
		if err := k.get(ctx, "/api/v1/namespaces/"+m.namespace+"/persistentvolumeclaims/"+m.name, &claim); err != nil {
			return 0, err
		}
		if claim.Status.Phase != "Bound" {
			return 0, fmt.Errorf("it is %s", claim.Status.Phase)
		}
	}
	return 0, nil
}

// applyFile sends every document of a file, and gives them back.
func applyFile(ctx context.Context, k *kube, file string) ([]manifest, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	manifests, err := readManifests(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, m := range manifests {
		// A kind whose definition was applied a moment ago is served a moment later.
		err := until(ctx, 20*time.Second, m.String(), func(ctx context.Context) error { return apply(ctx, k, m) })
		if err != nil {
			return nil, err
		}
	}
	return manifests, nil
}

// apply sends a document by server-side apply, as a user's kubectl would.
func apply(ctx context.Context, k *kube, m manifest) error {
	root := "/apis/" + m.apiVersion
	if !strings.Contains(m.apiVersion, "/") {
		root = "/api/" + m.apiVersion
	}
	var served struct {
		Resources []struct {
			Name, Kind string
			Namespaced bool
		}
	}
	if err := k.get(ctx, root, &served); err != nil {
		return err
	}
	for _, r := range served.Resources {
		if r.Kind != m.kind || strings.Contains(r.Name, "/") {
			continue
		}
		path := root
		if r.Namespaced {
			path += "/namespaces/" + m.namespace
		}
		path += "/" + r.Name + "/" + m.name + "?fieldManager=kubectl&force=true"
		return k.do(ctx, http.MethodPatch, path, "application/apply-patch+yaml", []byte(m.text), nil)
	}
	return fmt.Errorf("%s has no kind %s", m.apiVersion, m.kind)
}
