package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checkout is the least that readRecipe reads, in a folder of its own.
func checkout(t *testing.T, mod string) string {
	t.Helper()
	repo := t.TempDir()
	folder := filepath.Join(repo, "tests", "lab", "programs", "kubernetes")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"go.mod": mod, "go.sum": "sums\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return repo
}

func recipeIn(t *testing.T, repo, name string) recipe {
	t.Helper()
	for _, p := range programs {
		if p.name == name {
			r, err := readRecipe(repo, p)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
	}
	t.Fatalf("no program %s", name)
	return recipe{}
}

const mod = "module m\nrequire (\n\tk8s.io/kubernetes v1.37.2\n)\n"

func TestDigestDependsOnContentAlone(t *testing.T) {
	one := recipeIn(t, checkout(t, mod), apiServer)
	two := recipeIn(t, checkout(t, mod), apiServer)
	if one.folder == two.folder || one.digest() != two.digest() {
		t.Errorf("two checkouts disagree: %s, %s", one.digest(), two.digest())
	}
	for what, other := range map[string]recipe{
		"go.mod":          recipeIn(t, checkout(t, mod+"// changed\n"), apiServer),
		"another program": recipeIn(t, checkout(t, mod), scheduler),
	} {
		if other.digest() == one.digest() {
			t.Errorf("%s does not change the digest", what)
		}
	}
	flags, golang := one, one
	flags.flags = append([]string{"-race"}, one.flags...)
	golang.golang = "go9.9 plan9/arm"
	if flags.digest() == one.digest() || golang.digest() == one.digest() {
		t.Error("flags and the version of Go must change the digest")
	}
}

func TestKubernetesSaysItsVersion(t *testing.T) {
	r := recipeIn(t, checkout(t, mod), controllerManager)
	link := r.flags[len(r.flags)-1]
	for _, want := range []string{".gitVersion=v1.37.2", ".gitMajor=1", ".gitMinor=37"} {
		if !strings.Contains(link, want) {
			t.Errorf("%q lacks %s", link, want)
		}
	}
	broken := checkout(t, "module m\n")
	if _, err := readRecipe(broken, programs[3]); err == nil {
		t.Error("a go.mod without kubernetes was accepted")
	}
}

func TestVeleroSaysItsVersionAndTakesNoFixedPort(t *testing.T) {
	repo, err := findRepo("")
	if err != nil {
		t.Fatal(err)
	}
	link := strings.Join(recipeIn(t, repo, velero).flags, " ")
	for _, want := range []string{"buildinfo.Version=v1.18.3", "DefaultBindAddress=0"} {
		if !strings.Contains(link, want) {
			t.Errorf("%q lacks %s", link, want)
		}
	}
}

func TestPeersAreNoPartOfALab(t *testing.T) {
	for _, p := range programs {
		if ours := p.name != velero && p.name != veleroPlugin; ours == p.peer {
			t.Errorf("%s: peer is %v", p.name, p.peer)
		}
	}
}

func TestAssetsOfEnvtestMustBeComplete(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("KUBEBUILDER_ASSETS", dir)
	if _, _, err := given(); err == nil || !strings.Contains(err.Error(), "no etcd") {
		t.Errorf("an empty folder gave %v", err)
	}
	for _, name := range []string{etcd, apiServer} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	found, from, err := given()
	if err != nil || from != "KUBEBUILDER_ASSETS" || found[etcd] != filepath.Join(dir, etcd) {
		t.Errorf("got %v, %s, %v", found, from, err)
	}
}

func TestMissingGoIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := buildMissing(t.Context(), []recipe{{}}, t.TempDir(), func(string) {})
	if err == nil || !strings.Contains(err.Error(), "install Go 1.26") {
		t.Errorf("got %v", err)
	}
}
