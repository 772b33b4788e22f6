package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// The load is the data set of the benchmarks: objects of a small application, over and
// over, in 50 namespaces. What an object is follows from its number alone, so that the
// same command makes the same objects on every machine.
const (
	loadNamespaces = 50
	loadInFlight   = 32 // one API server on two cores is busy with that
	loadLabel      = "app.kubernetes.io/part-of"
)

// A loadKind is one object of an application. Those before it in the list are there when
// it is made, so it may refer to them.
type loadKind struct {
	name   string
	root   string // of its API group
	plural string
	make   func(a application) map[string]any
}

// An application is one round of loadKinds.
type application struct {
	number    int
	namespace string
	uids      map[string]string // of what is there already, by plural/name
}

const (
	coreV1 = "/api/v1"
	appsV1 = "/apis/apps/v1"
	rbacV1 = "/apis/rbac.authorization.k8s.io/v1"
)

// Twenty objects: nine ConfigMaps, four Secrets, two ServiceAccounts, two Roles, and one
// each of the rest.
var loadKinds = []loadKind{
	configMap("settings"), configMap("rules"), configMap("texts"), configMap("features"), configMap("routes"),
	configMap("limits"), configMap("dashboard"),
	secretOf("database"), secretOf("session"), secretOf("mail"),
	{"web", coreV1, "serviceaccounts", func(application) map[string]any { return map[string]any{} }},
	{"worker", coreV1, "serviceaccounts", func(application) map[string]any { return map[string]any{} }},
	role("web"), role("worker"),
	{"web", rbacV1, "rolebindings", func(a application) map[string]any {
		return map[string]any{
			"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": a.named("web")},
			"subjects": []any{map[string]any{"kind": "ServiceAccount", "name": a.named("web"), "namespace": a.namespace}},
		}
	}},
	{"web", appsV1, "deployments", deploymentOf},
	{"web", coreV1, "services", func(a application) map[string]any {
		return map[string]any{"spec": map[string]any{
			"clusterIP": "None", "selector": map[string]any{"app": a.named("web")},
			"ports": []any{map[string]any{"name": "http", "port": 80, "targetPort": "http"}},
		}}
	}},
	// What an owner reference is for: these go when their owner goes.
	owned(configMap("settings-cache"), "v1", "ConfigMap", "configmaps", "settings"),
	owned(configMap("web-state"), "apps/v1", "Deployment", "deployments", "web"),
	owned(secretOf("web-token"), "apps/v1", "Deployment", "deployments", "web"),
}

func (a application) named(name string) string { return fmt.Sprintf("%s-%04d", name, a.number) }

// text is some text of about that many bytes that no other object has, and that packs
// about as well as real configuration does.
func (a application) text(name string, size int) string {
	seed := uint64(len(name))
	for _, c := range []byte(name) {
		seed = seed*31 + uint64(c)
	}
	random := rand.New(rand.NewPCG(uint64(a.number), seed))
	keys := []string{"timeout", "endpoint", "replicas", "region", "currency", "cache.size", "log.level", "feature.enabled"}
	var b strings.Builder
	for b.Len() < size {
		fmt.Fprintf(&b, "%s.%s: %x\n", name, keys[random.IntN(len(keys))], random.Uint32())
	}
	return b.String()
}

func configMap(name string) loadKind {
	return loadKind{name, coreV1, "configmaps", func(a application) map[string]any {
		// 1 to 4 KiB: most real ones are that small.
		return map[string]any{"data": map[string]any{name + ".yaml": a.text(name, 1024+(a.number*7919+len(name)*331)%3072)}}
	}}
}

func secretOf(name string) loadKind {
	return loadKind{name, coreV1, "secrets", func(a application) map[string]any {
		return map[string]any{"type": "Opaque", "data": map[string]any{
			"username": base64.StdEncoding.EncodeToString([]byte(a.named("user"))),
			"password": base64.StdEncoding.EncodeToString([]byte(a.text(name, 64))),
		}}
	}}
}

func role(name string) loadKind {
	return loadKind{name, rbacV1, "roles", func(a application) map[string]any {
		return map[string]any{"rules": []any{map[string]any{
			"apiGroups": []any{""}, "resources": []any{"configmaps"}, "verbs": []any{"get", "watch"},
			"resourceNames": []any{a.named("settings")},
		}}}
	}}
}

func owned(k loadKind, version, kind, plural, owner string) loadKind {
	inner := k.make
	k.make = func(a application) map[string]any {
		object := inner(a)
		object["metadata"] = map[string]any{"ownerReferences": []any{map[string]any{
			"apiVersion": version, "kind": kind, "name": a.named(owner), "uid": a.uids[plural+"/"+owner],
		}}}
		return object
	}
	return k
}

func deploymentOf(a application) map[string]any {
	labels := map[string]any{"app": a.named("web"), loadLabel: "load"}
	return map[string]any{"spec": map[string]any{
		"replicas": 0, // pods would be kwok's work, and nobody's object
		"selector": map[string]any{"matchLabels": map[string]any{"app": a.named("web")}},
		"template": map[string]any{
			"metadata": map[string]any{"labels": labels},
			"spec": map[string]any{
				"serviceAccountName": a.named("web"),
				"containers": []any{map[string]any{
					"name": "web", "image": fmt.Sprintf("registry.example.com/load/web:1.%d.0", a.number),
					"ports":   []any{map[string]any{"name": "http", "containerPort": 8080}},
					"envFrom": []any{map[string]any{"configMapRef": map[string]any{"name": a.named("settings")}}},
					"env": []any{map[string]any{"name": "PASSWORD", "valueFrom": map[string]any{
						"secretKeyRef": map[string]any{"name": a.named("database"), "key": "password"}}}},
				}},
			},
		},
	}}
}

// runLoad makes that many objects of the load on a site. What is there already stays.
func runLoad(at layout, siteName string, objects int) error {
	lab, err := readDescription(at)
	if err != nil {
		return err
	}
	one, ok := lab.Sites[siteName]
	if !ok {
		return fmt.Errorf("no site %q in this lab", siteName)
	}
	client, err := one.client()
	if err != nil {
		return err
	}
	began := time.Now()
	made, err := load(context.Background(), client, objects)
	if err != nil {
		return fmt.Errorf("loading %s: %w", siteName, err)
	}
	fmt.Printf("%s has the %d objects of the load, %d of them new, in %d namespaces (%s).\n", siteName, objects, made, loadNamespaces, took(began))
	return nil
}

// load returns when the objects are there and the controllers have seen the Deployments.
func load(ctx context.Context, k *kube, objects int) (int, error) {
	for i := range loadNamespaces {
		name := fmt.Sprintf("load-%02d", i)
		body := fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q,"labels":{%q:"load"}}}`, name, loadLabel)
		if err := k.do(ctx, http.MethodPost, coreV1+"/namespaces", "application/json", []byte(body), nil); err != nil && !exists(err) {
			return 0, fmt.Errorf("namespace %s: %w", name, err)
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	numbers := make(chan int)
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for range loadInFlight {
		wg.Go(func() {
			for number := range numbers {
				n, err := loadApplication(ctx, k, number, min(len(loadKinds), objects-number*len(loadKinds)))
				if err != nil {
					cancel(err) // the first one counts
				}
				mu.Lock()
				made += n
				mu.Unlock()
			}
		})
	}
	for number := 0; number*len(loadKinds) < objects && ctx.Err() == nil; number++ {
		numbers <- number
	}
	close(numbers)
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return made, err
	}
	return made, until(ctx, 2*time.Minute, "the Deployments of the load", func(ctx context.Context) error { return seen(ctx, k) })
}

// loadApplication makes the first objects of one application, one after the other.
func loadApplication(ctx context.Context, k *kube, number, objects int) (int, error) {
	a := application{number, fmt.Sprintf("load-%02d", number%loadNamespaces), map[string]string{}}
	made := 0
	for _, kind := range loadKinds[:objects] {
		object := kind.make(a)
		head, _ := object["metadata"].(map[string]any)
		if head == nil {
			head = map[string]any{}
			object["metadata"] = head
		}
		head["name"], head["labels"] = a.named(kind.name), map[string]any{loadLabel: "load", "app": a.named("web")}
		body, err := json.Marshal(object)
		if err != nil {
			return made, err
		}
		path := kind.root + "/namespaces/" + a.namespace + "/" + kind.plural
		var there struct{ Metadata struct{ UID string } }
		switch err := k.do(ctx, http.MethodPost, path, "application/json", body, &there); {
		case err == nil:
			made++
		case exists(err):
			if err := k.get(ctx, path+"/"+a.named(kind.name), &there); err != nil {
				return made, err
			}
		default:
			return made, fmt.Errorf("%s/%s: %w", path, a.named(kind.name), err)
		}
		a.uids[kind.plural+"/"+kind.name] = there.Metadata.UID
	}
	return made, nil
}

// seen: every Deployment of the load has been looked at by its controller.
func seen(ctx context.Context, k *kube) error {
	var list struct {
		Items []struct {
			Status struct{ ObservedGeneration int }
		}
	}
	if err := k.get(ctx, appsV1+"/deployments?labelSelector="+loadLabel+"%3Dload", &list); err != nil {
		return err
	}
	waiting := 0
	for _, item := range list.Items {
		if item.Status.ObservedGeneration == 0 {
			waiting++
		}
	}
	if waiting > 0 {
		return fmt.Errorf("%d of %d wait for their controller", waiting, len(list.Items))
	}
	return nil
}
