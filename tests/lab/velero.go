package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The user of a site that a Velero server logs in as: the audit log tells by it what
// Velero asked for.
const veleroUser = "lab-velero"

const veleroSpace = "velero" // the namespace Velero keeps its own objects in

// A veleroOrder says where a Velero server is to run, and over which part of a store.
type veleroOrder struct {
	Site   string `json:"site"`
	Store  string `json:"store,omitempty"`
	Prefix string `json:"prefix"`
	Server string `json:"server,omitempty"` // the two programs, found or built by the caller
	Plugin string `json:"plugin,omitempty"`
}

// runVeleroUp starts a Velero server beside a site, building it first if need be.
func runVeleroUp(at layout, repo string, o veleroOrder) error {
	lab, err := readDescription(at)
	if err != nil {
		return err
	}
	if repo, err = findRepo(repo); err != nil {
		return err
	}
	peer := func(p program) bool { return p.name == velero || p.name == veleroPlugin }
	paths, err := provide(context.Background(), repo, peer, func(line string) { fmt.Fprintln(os.Stderr, line) })
	if err != nil {
		return err
	}
	o.Server, o.Plugin = paths[velero], paths[veleroPlugin]
	said, err := lab.Control.send("/velero/up", o)
	if err == nil {
		fmt.Println(said)
	}
	return err
}

func runVeleroDown(at layout, o veleroOrder) error {
	lab, err := readDescription(at)
	if err != nil {
		return err
	}
	said, err := lab.Control.send("/velero/down", o)
	if err == nil {
		fmt.Println(said)
	}
	return err
}

// veleroUp makes what a Velero server expects to find on a site, and starts it.
func (c *control) veleroUp(ctx context.Context, s *site, o veleroOrder) (string, error) {
	if c.children.find(s.name+"/"+velero) != nil {
		return "", fmt.Errorf("velero already runs on %s: `lab velero down` ends it", s.name)
	}
	st := c.stores[o.Store]
	if st == nil {
		return "", fmt.Errorf("no store %q in this lab", o.Store)
	}
	began := time.Now()
	if err := s.furnish(ctx, o.Server); err != nil {
		return "", fmt.Errorf("preparing %s for velero: %w", s.name, err)
	}
	if err := s.locate(ctx, o.Prefix, st); err != nil {
		return "", fmt.Errorf("preparing %s for velero: %w", s.name, err)
	}
	s.velero = &o
	if err := c.startVelero(ctx, s, false); err != nil {
		return "", err
	}
	return fmt.Sprintf("Velero runs on %s over %s/%s of %s (%s).", s.name, st.bucket, o.Prefix, st.name, took(began)), nil
}

func (c *control) veleroDown(_ context.Context, s *site, _ veleroOrder) (string, error) {
	ran, err := c.children.end(s.name + "/" + velero)
	switch {
	case err != nil:
		return "", err
	case !ran:
		return fmt.Sprintf("No Velero runs on %s.", s.name), nil
	default:
		return fmt.Sprintf("Velero on %s has ended. Its objects in namespace %s are still there.", s.name, veleroSpace), nil
	}
}

// veleroAgain restarts a server, which makes it look into its store. Velero looks there at
// its start, if it finds its backup storage location marked as available, and then once a
// minute, whatever its flag --backup-sync-period says.
func (c *control) veleroAgain(ctx context.Context, s *site, _ veleroOrder) (string, error) {
	ran, err := c.children.end(s.name + "/" + velero)
	if err != nil {
		return "", err
	}
	if !ran {
		return "", fmt.Errorf("no velero runs on %s: start it with `lab velero up --site %s --store NAME`", s.name, s.name)
	}
	unsynced := []byte(`{"status":{"lastSyncedTime":null}}`)
	if err := s.admin.do(ctx, http.MethodPatch, veleroLocation, "application/merge-patch+json", unsynced, nil); err != nil {
		return "", err
	}
	return fmt.Sprintf("Velero on %s was restarted.", s.name), c.startVelero(ctx, s, true)
}

// startVelero returns when the server has reached its store or, if told so, has looked
// into it.
func (c *control) startVelero(ctx context.Context, s *site, synced bool) error {
	file := c.children.at.path(s.name, velero+".kubeconfig")
	if err := os.WriteFile(file, kubeconfig(veleroUser, s), 0o600); err != nil {
		return err
	}
	_, _, err := c.children.start(ctx, server{
		owner: s.name, name: velero, path: s.velero.Server, ports: 1, kept: true, within: 2 * time.Minute,
		env: []string{
			"VELERO_NAMESPACE=" + veleroSpace,
			"AWS_SHARED_CREDENTIALS_FILE=" + c.children.at.path("credentials"),
			"AWS_EC2_METADATA_DISABLED=true",
		},
		args: func(p []int) []string {
			return []string{"server", "--kubeconfig=" + file, "--plugin-dir=" + filepath.Dir(s.velero.Plugin),
				"--metrics-address=" + loopback(p[0]), "--profiler-address=",
				"--log-format=text", "--colorized=false"}
		},
		answers: func(ctx context.Context, _ []int) error { return s.veleroWorks(ctx, synced) },
	})
	if err != nil {
		_, ended := c.children.end(s.name + "/" + velero)
		return errors.Join(err, ended)
	}
	return nil
}

// furnish makes Velero's kinds, its namespace, and the Deployment that it looks up.
func (s *site) furnish(ctx context.Context, server string) error {
	kinds, err := veleroKinds(ctx, server)
	if err != nil {
		return err
	}
	const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"
	for name, item := range kinds {
		if err := s.put(ctx, definitions+name, item); err != nil {
			return err
		}
	}
	for name := range kinds {
		if err := until(ctx, 30*time.Second, name, func(ctx context.Context) error { return established(ctx, s.admin, definitions+name) }); err != nil {
			return err
		}
	}
	labels := map[string]any{"app": velero}
	space := "/namespaces/" + veleroSpace
	if err := s.put(ctx, "/api/v1"+space, map[string]any{"apiVersion": "v1", "kind": "Namespace"}); err != nil {
		return err
	}
	return s.put(ctx, "/apis/apps/v1"+space+"/deployments/velero", map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"spec": map[string]any{
			"replicas": 0, // the server is a process of this host, not a pod
			"selector": map[string]any{"matchLabels": labels},
			"template": map[string]any{
				"metadata": map[string]any{"labels": labels},
				"spec":     map[string]any{"containers": []any{map[string]any{"name": velero, "image": "registry.example.com/velero"}}},
			},
		},
	})
}

const (
	veleroObjects  = "/apis/velero.io/v1/namespaces/" + veleroSpace + "/"
	veleroLocation = veleroObjects + "backupstoragelocations/default"
)

// locate makes the backup storage location anew, so that what it says of itself was seen
// by the server that is started next.
func (s *site) locate(ctx context.Context, prefix string, st *store) error {
	if err := s.admin.do(ctx, http.MethodDelete, veleroLocation, "", nil, nil); err != nil && !missing(err) {
		return err
	}
	return s.put(ctx, veleroLocation, map[string]any{
		"apiVersion": "velero.io/v1", "kind": "BackupStorageLocation",
		"spec": map[string]any{
			"provider": "aws", "default": true,
			"objectStorage": map[string]any{"bucket": st.bucket, "prefix": strings.Trim(prefix, "/")},
			"config": map[string]any{
				"region": st.signer.region, "s3ForcePathStyle": "true", "s3Url": st.endpoint, "profile": st.name,
			},
		},
	})
}

// put applies one object; one without metadata gets the name in the path.
func (s *site) put(ctx context.Context, path string, object map[string]any) error {
	if object["metadata"] == nil {
		object["metadata"] = map[string]any{"name": path[strings.LastIndex(path, "/")+1:]}
	}
	text, err := json.Marshal(object)
	if err != nil {
		return err
	}
	err = s.admin.do(ctx, http.MethodPatch, path+"?fieldManager=lab&force=true", "application/apply-patch+yaml", text, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// veleroKinds asks the program for the definitions of its kinds, by name.
func veleroKinds(ctx context.Context, server string) (map[string]map[string]any, error) {
	cmd := exec.CommandContext(ctx, server, "install", "--crds-only", "--dry-run", "-o", "json")
	cmd.Env = []string{"HOME=" + os.TempDir(), "KUBECONFIG=/dev/null"}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s install: %w: %s", server, err, lastLines(errs.String(), 5))
	}
	kinds := map[string]map[string]any{}
	for all := json.NewDecoder(&out); ; {
		var list struct{ Items []map[string]any }
		if err := all.Decode(&list); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("definitions of velero: %w", err)
		}
		for _, item := range list.Items {
			head, _ := item["metadata"].(map[string]any)
			name, _ := head["name"].(string)
			delete(head, "creationTimestamp") // null, which is not a time
			delete(item, "status")
			kinds[name] = item
		}
	}
	if len(kinds) == 0 {
		return nil, errors.New("velero has no definitions of its kinds")
	}
	return kinds, nil
}

func established(ctx context.Context, k *kube, path string) error {
	var definition struct {
		Status struct {
			Conditions []struct{ Type, Status string }
		}
	}
	if err := k.get(ctx, path, &definition); err != nil {
		return err
	}
	for _, c := range definition.Status.Conditions {
		if c.Type == "Established" && c.Status == "True" {
			return nil
		}
	}
	return errors.New("not established")
}

// veleroWorks asks for what only a server that reached the store of the location, and
// looked into it, brings about; one of another lab does not know this site.
func (s *site) veleroWorks(ctx context.Context, synced bool) error {
	var location struct {
		Status struct{ Phase, Message, LastSyncedTime string }
	}
	if err := s.admin.get(ctx, veleroLocation, &location); err != nil {
		return err
	}
	at := location.Status
	if at.Phase != "Available" {
		return fmt.Errorf("the backup location is %q: %s", at.Phase, at.Message)
	}
	if synced && at.LastSyncedTime == "" {
		return errors.New("the store was not looked into")
	}
	return nil
}
