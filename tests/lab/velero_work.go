package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// A veleroWork is one backup or restore that a Velero server of the lab is to carry out.
type veleroWork struct {
	Site       string
	Backup     string
	Restore    string
	Namespaces words
	Map        pairs
	Within     time.Duration
}

// A veleroResult is the line of JSON that a piece of work ends with.
type veleroResult struct {
	Work      string `json:"work"` // backup or restore
	Site      string `json:"site"`
	Name      string `json:"name"`
	Backup    string `json:"backup"`
	Phase     string `json:"phase"`
	Errors    int    `json:"errors"`
	Warnings  int    `json:"warnings"`
	Items     int    `json:"items"`
	ItemsSeen int    `json:"itemsTotal"`
	cost
	Synced   bool     `json:"synced,omitempty"` // the backup was in the store only, until Velero found it
	Reason   string   `json:"reason,omitempty"` // Velero's, when it did not do the work
	Messages []string `json:"messages,omitempty"`
}

// veleroStatus is what the status of a Backup and of a Restore have, and which of the two
// has what.
type veleroStatus struct {
	Phase            string
	Errors, Warnings int
	FailureReason    string
	ValidationErrors []string
	Progress         struct{ TotalItems, ItemsBackedUp, ItemsRestored int }
}

// ended: the phases after which nothing follows. Finalizing and the like are not among them.
func (s veleroStatus) ended() bool {
	return slices.Contains([]string{"Completed", "PartiallyFailed", "Failed", "FailedValidation"}, s.Phase)
}

// How long Velero may take to list a backup that is in its store, once it looks.
const syncing = 10 * time.Second

// How many of Velero's own messages are passed on: all of a small trial, some of a disaster.
const mostMessages = 200

func (w veleroWork) runBackup(at layout) error {
	spec := map[string]any{"storageLocation": "default"}
	if len(w.Namespaces) > 0 {
		spec["includedNamespaces"] = w.Namespaces
	}
	return w.run(at, "backup", w.Backup, spec)
}

func (w veleroWork) runRestore(at layout) error {
	name := w.Restore
	if name == "" {
		name = w.Backup + "-" + time.Now().UTC().Format("20060102t150405")
	}
	spec := map[string]any{"backupName": w.Backup}
	if len(w.Namespaces) > 0 {
		spec["includedNamespaces"] = w.Namespaces
	}
	if len(w.Map) > 0 {
		spec["namespaceMapping"] = w.Map
	}
	return w.run(at, "restore", name, spec)
}

// run has the server do one thing, alone: what it uses meanwhile is for that.
func (w veleroWork) run(at layout, work, name string, spec map[string]any) error {
	lab, err := readDescription(at)
	if err != nil {
		return err
	}
	one, ok := lab.Sites[w.Site]
	if !ok {
		return fmt.Errorf("no site %q in this lab", w.Site)
	}
	client, err := one.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), w.Within)
	defer cancel()
	free, err := at.turn(ctx, w.Site+"/velero.lock")
	if err != nil {
		return err
	}
	defer free.Close()
	if err := until(ctx, w.Within, "a quiet velero", func(ctx context.Context) error { return quiet(ctx, client) }); err != nil {
		return err
	}
	result := veleroResult{Work: work, Site: w.Site, Name: name, Backup: w.Backup}
	if work == "restore" {
		if result.Synced, err = w.synced(ctx, at, lab, client); err != nil {
			return err
		}
	}
	keeper, err := at.veleroOf(w.Site)
	if err != nil {
		return err
	}
	meter, err := watchFrom(keeper, one.AuditLog, one.VeleroUser)
	if err != nil {
		return err
	}
	status, err := w.carryOut(ctx, client, keeper, work, name, spec)
	if err != nil {
		return fmt.Errorf("%w; velero's log is %s", err, at.path(w.Site, velero+".log"))
	}
	if result.cost, err = meter.done(); err != nil {
		return err
	}
	result.Phase, result.Errors, result.Warnings = status.Phase, status.Errors, status.Warnings
	result.Items, result.ItemsSeen = status.Progress.ItemsBackedUp+status.Progress.ItemsRestored, status.Progress.TotalItems
	result.Reason = strings.Trim(strings.Join(append(status.ValidationErrors, status.FailureReason), "; "), "; ")
	result.Messages = veleroMessages(ctx, client, lab, work, name)
	line, err := json.Marshal(result)
	if err != nil {
		return err
	}
	fmt.Println(string(line))
	if status.Phase != "Completed" {
		return fmt.Errorf("velero's %s %s is %s", work, name, status.Phase)
	}
	return nil
}

// carryOut makes the Backup or Restore and waits until nothing follows any more.
func (w veleroWork) carryOut(ctx context.Context, client *kube, keeper identity, work, name string, spec map[string]any) (veleroStatus, error) {
	var now struct{ Status veleroStatus }
	body, err := json.Marshal(map[string]any{
		"apiVersion": "velero.io/v1", "kind": strings.ToUpper(work[:1]) + work[1:],
		"metadata": map[string]any{"name": name}, "spec": spec,
	})
	if err != nil {
		return now.Status, err
	}
	if err := client.do(ctx, http.MethodPost, veleroObjects+work+"s", "application/json", body, nil); err != nil {
		return now.Status, err
	}
	err = until(ctx, w.Within, "the end of velero's "+work+" "+name, func(ctx context.Context) error {
		if !keeper.alive() {
			return nil
		}
		if err := client.get(ctx, veleroObjects+work+"s/"+name, &now); err != nil {
			return err
		}
		if !now.Status.ended() {
			return fmt.Errorf("it is %q", now.Status.Phase)
		}
		return nil
	})
	if err == nil && !now.Status.ended() {
		err = fmt.Errorf("velero ended while its %s %s was %q", work, name, now.Status.Phase)
	}
	return now.Status, err
}

// synced makes sure that the site's Velero knows the backup. One that somebody else put
// into the store is only found when Velero looks, which a restart makes it do.
func (w veleroWork) synced(ctx context.Context, at layout, lab description, client *kube) (bool, error) {
	known := func(ctx context.Context) error { return client.get(ctx, veleroObjects+"backups/"+w.Backup, nil) }
	if err := known(ctx); !missing(err) {
		return false, err
	}
	if _, err := lab.Control.send("/velero/again", veleroOrder{Site: w.Site}); err != nil {
		return false, err
	}
	if err := until(ctx, syncing, "velero taking backup "+w.Backup+" from the store", known); err != nil {
		return false, fmt.Errorf("%w; its log says:\n%s", err, linesAbout(at.path(w.Site, velero+".log"), w.Backup))
	}
	return true, nil
}

// linesAbout is what a log says of a thing, at last.
func linesAbout(file, thing string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	var about []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, thing) || strings.Contains(line, "level=error") {
			about = append(about, line)
		}
	}
	return lastLines(strings.Join(about, ""), 8)
}

// quiet: nothing is being backed up or restored, not even for somebody who was killed.
func quiet(ctx context.Context, client *kube) error {
	for _, kind := range []string{"backups", "restores"} {
		var list struct {
			Items []struct {
				Metadata struct{ Name string }
				Status   veleroStatus
			}
		}
		if err := client.get(ctx, veleroObjects+kind, &list); missing(err) {
			return nil // no Velero was ever here; what follows says so
		} else if err != nil {
			return err
		}
		for _, item := range list.Items {
			if !item.Status.ended() {
				return fmt.Errorf("%s %s is %q", kind, item.Metadata.Name, item.Status.Phase)
			}
		}
	}
	return nil
}

// veleroOf is the process that keeps a site's Velero server.
func (l layout) veleroOf(site string) (identity, error) {
	p, err := l.processes()
	if err != nil {
		return identity{}, err
	}
	keeper := p.Children[site+"/"+velero]
	if !keeper.alive() {
		return keeper, fmt.Errorf("no velero runs on %s: start it with `lab velero up --site %s --store NAME`", site, site)
	}
	return keeper, nil
}

// turn waits for a lock that the kernel releases when its holder dies.
func (l layout) turn(ctx context.Context, name string) (*os.File, error) {
	file, err := os.OpenFile(l.path(name), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for !tryLock(file) {
		select {
		case <-ctx.Done():
			file.Close()
			return nil, fmt.Errorf("another command has had %s all the time: %w", l.path(name), ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
	return file, nil
}

// client speaks to a site as the lab's own user.
func (s siteFacts) client() (*kube, error) {
	ca, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, err
	}
	return newKube(s.URL, s.SupervisorToken, ca), nil
}

// veleroMessages reads what Velero wrote into its store about errors and warnings. It is
// a help for people: where it cannot be read, that is the message.
func veleroMessages(ctx context.Context, client *kube, lab description, work, name string) []string {
	key := "backups/" + name + "/" + name + "-results.gz"
	if work == "restore" {
		key = "restores/" + name + "/restore-" + name + "-results.gz"
	}
	text, err := fromLocation(ctx, client, lab, key)
	if err != nil {
		return []string{"no results: " + err.Error()}
	}
	messages, err := readResults(text)
	if err != nil {
		return []string{key + ": " + err.Error()}
	}
	if more := len(messages) - mostMessages; more > 0 {
		messages = append(messages[:mostMessages], fmt.Sprintf("and %d more", more))
	}
	return messages
}

// fromLocation gets an object that lies below the site's backup storage location.
func fromLocation(ctx context.Context, client *kube, lab description, key string) ([]byte, error) {
	var location struct {
		Spec struct {
			ObjectStorage struct{ Bucket, Prefix string }
			Config        struct{ Profile string }
		}
	}
	if err := client.get(ctx, veleroLocation, &location); err != nil {
		return nil, err
	}
	st := lab.Stores[location.Spec.Config.Profile]
	at := location.Spec.ObjectStorage
	if at.Prefix != "" {
		key = at.Prefix + "/" + key
	}
	return signer{st.AccessKey, st.SecretKey, st.Region}.do(ctx, http.MethodGet, st.Endpoint, "/"+at.Bucket+"/"+key, nil)
}

// readResults turns Velero's results file into lines, errors first, in a fixed order.
func readResults(packed []byte) ([]string, error) {
	unpack, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(unpack)
	if err != nil {
		return nil, err
	}
	type result struct {
		Velero, Cluster []string
		Namespaces      map[string][]string
	}
	var both struct{ Errors, Warnings result }
	if err := json.Unmarshal(text, &both); err != nil {
		return nil, errors.New("not a results file")
	}
	var lines []string
	for _, part := range []struct {
		word string
		of   result
	}{{"error", both.Errors}, {"warning", both.Warnings}} {
		tell := func(where string, messages []string) {
			for _, m := range messages {
				lines = append(lines, part.word+" "+where+": "+m)
			}
		}
		tell("velero", part.of.Velero)
		tell("cluster", part.of.Cluster)
		for _, namespace := range slices.Sorted(maps.Keys(part.of.Namespaces)) {
			tell(namespace, part.of.Namespaces[namespace])
		}
	}
	return lines, nil
}
