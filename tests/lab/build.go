package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

func runBuild(repo string, without leftOut) error {
	repo, err := findRepo(repo)
	if err != nil {
		return err
	}
	wanted := func(p program) bool { return !without[p.name] }
	say := func(line string) { fmt.Println(line) }
	if _, err = provide(context.Background(), repo, wanted, say); err != nil {
		return err
	}
	return fetchBundles(context.Background(), say)
}

// provide returns the path of every wanted program, building those that are missing.
func provide(ctx context.Context, repo string, wanted func(program) bool, say func(string)) (map[string]string, error) {
	cache, err := cacheFolder()
	if err != nil {
		return nil, err
	}
	paths, from, err := given()
	if err != nil {
		return nil, err
	}
	if paths == nil {
		paths = map[string]string{}
	} else {
		say(fmt.Sprintf("Using etcd and kube-apiserver from %s: %s, %s.", from, paths[etcd], paths[apiServer]))
	}
	var missing []recipe
	for _, p := range programs {
		if paths[p.name] != "" || !wanted(p) {
			continue
		}
		r, err := readRecipe(repo, p)
		if err != nil {
			return nil, err
		}
		paths[p.name] = filepath.Join(r.cached(cache), p.name)
		if !present(r, cache) {
			missing = append(missing, r)
		}
	}
	if len(missing) == 0 {
		say(fmt.Sprintf("All %d programs are at hand; built ones are in %s.", len(paths), cache))
		return paths, nil
	}
	return paths, buildMissing(ctx, missing, cache, say)
}

func present(r recipe, cache string) bool {
	_, err := os.Stat(filepath.Join(r.cached(cache), r.name))
	return err == nil
}

func buildMissing(ctx context.Context, missing []recipe, cache string, say func(string)) error {
	golang, err := exec.LookPath("go")
	if err != nil {
		return fmt.Errorf("go is missing: install Go 1.26 or newer (https://go.dev/dl/), which builds the lab's %d missing programs from source; or point LIFEBOAT_LAB_CACHE at a filled cache", len(missing))
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	// One builder at a time on a machine: two would do the same work twice, half as fast.
	lock, err := os.OpenFile(filepath.Join(cache, "build.lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer lock.Close()
	for told := false; !tryLock(lock); told = true {
		if !told {
			say("Another lab is building into the same cache; waiting for it.")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	// Nobody else builds now, so what is half built was left by a builder that was killed.
	left, _ := filepath.Glob(filepath.Join(cache, "building-*"))
	for _, folder := range left {
		os.RemoveAll(folder)
	}
	began := time.Now()
	for _, r := range missing {
		if present(r, cache) { // the other builder made it
			continue
		}
		if err := build(ctx, golang, r, cache, say); err != nil {
			return err
		}
	}
	// Kept while something is missing, because the programs share most of their packages.
	if err := os.RemoveAll(goCache(cache)); err != nil {
		return err
	}
	say(fmt.Sprintf("Built everything in %s, into %s.", took(began), cache))
	return nil
}

// build makes one program in a folder beside its place and renames the whole folder, so
// that no reader ever sees half of it.
func build(ctx context.Context, golang string, r recipe, cache string, say func(string)) error {
	say(fmt.Sprintf("Building %s (a first build takes about %s on two cores).", r.name, r.takes))
	began := time.Now()
	made, err := os.MkdirTemp(cache, "building-"+r.name+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(made)
	args := append([]string{"build", "-o", filepath.Join(made, r.name)}, r.flags...)
	if _, err := runGo(ctx, golang, r.folder, cache, append(args, r.main)...); err != nil {
		return fmt.Errorf("building %s: %w", r.name, err)
	}
	if r.name == kwok {
		if err := copyStages(ctx, golang, r, cache, made); err != nil {
			return fmt.Errorf("copying the stages of kwok: %w", err)
		}
	}
	if err := os.Chmod(made, 0o755); err != nil {
		return err
	}
	if err := os.Rename(made, r.cached(cache)); err != nil {
		return err
	}
	say(fmt.Sprintf("Built %s in %s.", r.name, took(began)))
	return nil
}

// runGo runs the go command in the folder of a pin, deaf to what the caller's own Go
// settings say about modules and flags: the digest knows nothing of those.
func runGo(ctx context.Context, golang, folder, cache string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, golang, args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "PWD="+folder, "GOCACHE="+goCache(cache))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", args[0], err, lastLines(errs.String(), 20))
	}
	return strings.TrimSpace(out.String()), nil
}

// goCache is where Go keeps compiled packages while programs are missing: 7 GB that nothing needs
// once they are built, and that would fill the disk of a small machine if they stayed in Go's own.
func goCache(cache string) string { return filepath.Join(cache, "go-build") }

// stageFolders are the behaviours that kwok plays; without stages it does nothing.
var stageFolders = []string{"node/fast", "node/heartbeat-with-lease", "pod/fast", "volume/fast"}

// copyStages puts kwok's own stage files beside the binary, so that starting a lab needs
// neither Go nor the module cache.
func copyStages(ctx context.Context, golang string, r recipe, cache, to string) error {
	module, err := runGo(ctx, golang, r.folder, cache, "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok")
	if err != nil {
		return err
	}
	var all bytes.Buffer
	for _, folder := range stageFolders {
		files, err := filepath.Glob(filepath.Join(module, "kustomize", "stage", folder, "*.yaml"))
		if err != nil {
			return err
		}
		found := 0
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if !bytes.Contains(text, []byte("\nkind: Stage\n")) { // kustomization.yaml and the like
				continue
			}
			found++
			fmt.Fprintf(&all, "---\n%s\n", bytes.TrimSpace(text))
		}
		if found == 0 {
			return fmt.Errorf("no stage in %s", folder)
		}
	}
	return os.WriteFile(filepath.Join(to, "stages.yaml"), all.Bytes(), 0o644)
}

func took(since time.Time) string {
	d := time.Since(since)
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
