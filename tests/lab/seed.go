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

// runSeed applies the sample application to a running lab.
func runSeed(at layout, repo string) error {
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
	return seed(context.Background(), repo, sites, func(line string) { fmt.Println(line) })
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

// seed gives both sites what an application expects of its platform, and east the
// application, and returns when that has settled.
func seed(ctx context.Context, repo string, sites map[string]*kube, say func(string)) error {
	folder := filepath.Join(repo, "playbooks", "shop")
	began := time.Now()
	for _, name := range siteNames {
		if err := applyFile(ctx, sites[name], filepath.Join(folder, "platform.yaml")); err != nil {
			return fmt.Errorf("seeding %s: %w", name, err)
		}
	}
	east := sites["east"]
	if err := applyFile(ctx, east, filepath.Join(folder, "app.yaml")); err != nil {
		return fmt.Errorf("seeding east: %w", err)
	}
	err := until(ctx, time.Minute, "the sample application on east", func(ctx context.Context) error {
		d, err := east.deployment(ctx, "shop", "web")
		if err != nil {
			return err
		}
		if d.Status.ReadyReplicas != 3 {
			return fmt.Errorf("%d of 3 replicas of web ready", d.Status.ReadyReplicas)
		}
		var claim struct{ Status struct{ Phase string } }
		if err := east.get(ctx, "/api/v1/namespaces/shop/persistentvolumeclaims/data", &claim); err != nil {
			return err
		}
		if claim.Status.Phase != "Bound" {
			return fmt.Errorf("claim data is %s", claim.Status.Phase)
		}
		return nil
	})
	if err == nil {
		say(fmt.Sprintf("Seeded: the shop runs on east with 3 ready replicas (%s).", took(began)))
	}
	return err
}

func applyFile(ctx context.Context, k *kube, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	manifests, err := readManifests(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, m := range manifests {
		// A kind whose definition was applied a moment ago is served a moment later.
		err := until(ctx, 20*time.Second, m.String(), func(ctx context.Context) error { return apply(ctx, k, m) })
		if err != nil {
			return err
		}
	}
	return nil
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
