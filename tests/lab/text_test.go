package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The example of Amazon's own documentation of Signature Version 4.
func TestSignature(t *testing.T) {
	req, err := http.NewRequest("GET", "https://examplebucket.s3.amazonaws.com/test.txt", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Range", "bytes=0-9")
	s := signer{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1"}
	s.sign(req, nil, time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC))
	const want = "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
	if got := req.Header.Get("Authorization"); !strings.HasSuffix(got, want) {
		t.Errorf("got %s", got)
	}
}

// Every playbook can be seeded: its two files are block-style YAML that the lab can split.
func TestManifestsOfEveryPlaybook(t *testing.T) {
	repo, err := findRepo("")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(repo, "playbooks", "*", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, file := range files {
		if name := filepath.Base(file); name != "platform.yaml" && name != "app.yaml" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if all, err := readManifests(string(text)); err != nil || len(all) == 0 {
			t.Errorf("%s: %d documents, %v", file, len(all), err)
		}
		read++
	}
	if read < 6 {
		t.Errorf("only %d files were read", read)
	}
}

func TestManifestsOfTheShop(t *testing.T) {
	repo, err := findRepo("")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range []string{"platform.yaml", "app.yaml"} {
		text, err := os.ReadFile(filepath.Join(repo, "playbooks", "shop", file))
		if err != nil {
			t.Fatal(err)
		}
		all, err := readManifests(string(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			names = append(names, m.String())
		}
	}
	got := strings.Join(names, ", ")
	for _, want := range []string{"CustomResourceDefinition coupons.shop.example.com", "Namespace shop,", "Coupon shop/spring", "Service shop/web-public"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
}

func TestManifestMustSayWhatItIs(t *testing.T) {
	if all, err := readManifests("# only a comment\n---\n\n"); err != nil || len(all) != 0 {
		t.Errorf("got %v, %v", all, err)
	}
	_, err := readManifests("kind: A\napiVersion: v1\nspec:\n  name: not-this-one\n")
	if err == nil || !strings.Contains(err.Error(), "document 1") {
		t.Errorf("got %v", err)
	}
}
