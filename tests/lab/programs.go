package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// A program is one real server of the lab, built from the Go module that pins it.
type program struct {
	name  string
	pin   string // the folder under programs/ whose go.mod and go.sum pin it
	main  string // the package to build
	takes string // how long a first build takes on two cores, to say before it starts
	peer  bool   // no part of a lab: another tool, built to be compared with
}

const (
	etcd              = "etcd"
	apiServer         = "kube-apiserver"
	controllerManager = "kube-controller-manager"
	scheduler         = "kube-scheduler"
	kwok              = "kwok"
	versitygw         = "versitygw"
	minio             = "minio"
	velero            = "velero"
	veleroPlugin      = "velero-plugin-for-aws"
)

// The small ones first: a machine on which nothing builds says so in a minute.
var programs = []program{
	{etcd, "etcd", "go.etcd.io/etcd/server/v3", "1 minute", false},
	{versitygw, "versitygw", "github.com/versity/versitygw/cmd/versitygw", "1 minute", false},
	{kwok, "kwok", "sigs.k8s.io/kwok/cmd/kwok", "2 minutes", false},
	{apiServer, "kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver", "5 minutes", false},
	{controllerManager, "kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager", "3 minutes", false},
	{scheduler, "kubernetes", "k8s.io/kubernetes/cmd/kube-scheduler", "15 seconds", false},
	{minio, "minio", "github.com/minio/minio", "2 minutes", false},
	{velero, "velero", "github.com/vmware-tanzu/velero/cmd/velero", "5 minutes", true},
	{veleroPlugin, "velero-plugin-for-aws", "github.com/vmware-tanzu/velero-plugin-for-aws/velero-plugin-for-aws", "5 minutes", true},
}

// A recipe is everything that decides what a built program is, and nothing about the
// machine: its digest names the program's place in the cache.
type recipe struct {
	program
	folder string // where go.mod is; not part of the digest
	mod    []byte
	sum    []byte
	flags  []string
	golang string // version and platform of Go
}

var kubernetesVersion = regexp.MustCompile(`(?m)^\s*k8s\.io/kubernetes v((\d+)\.(\d+)\.\S+)`)
var veleroVersion = regexp.MustCompile(`(?m)^\s*github\.com/vmware-tanzu/velero (v\S+)`)

func readRecipe(repo string, p program) (recipe, error) {
	r := recipe{program: p, folder: filepath.Join(repo, "tests", "lab", "programs", p.pin)}
	var err error
	if r.mod, err = os.ReadFile(filepath.Join(r.folder, "go.mod")); err != nil {
		return r, err
	}
	if r.sum, err = os.ReadFile(filepath.Join(r.folder, "go.sum")); err != nil {
		return r, err
	}
	link := "-s -w"
	switch p.pin {
	case "kubernetes":
		// Without these the servers call themselves v0.0.0 and clients draw conclusions.
		v := kubernetesVersion.FindSubmatch(r.mod)
		if v == nil {
			return r, fmt.Errorf("%s/go.mod does not require k8s.io/kubernetes", r.folder)
		}
		const at = "k8s.io/component-base/version"
		link += fmt.Sprintf(" -X %s.gitVersion=v%s -X %s.gitMajor=%s -X %s.gitMinor=%s", at, v[1], at, v[2], at, v[3])
	case "velero":
		v := veleroVersion.FindSubmatch(r.mod)
		if v == nil {
			return r, fmt.Errorf("%s/go.mod does not require github.com/vmware-tanzu/velero", r.folder)
		}
		// Its second metrics server listens on every interface, at port 8080, and no flag
		// says otherwise, so that two servers on one host clash. "0" is its word for none.
		link += fmt.Sprintf(" -X github.com/vmware-tanzu/velero/pkg/buildinfo.Version=%s"+
			" -X sigs.k8s.io/controller-runtime/pkg/metrics/server.DefaultBindAddress=0", v[1])
	}
	r.flags = []string{"-trimpath", "-ldflags", link}
	// The Go that built this lab, rather than `go version`: a machine with a filled cache
	// and a built lab needs no Go at all.
	r.golang = runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + " CGO_ENABLED=0"
	return r, nil
}

// digest is of the content alone, so that every checkout on a machine, and every machine
// that shares a cache, agrees on it.
func (r recipe) digest() string {
	h := sha256.New()
	for _, part := range []string{r.name, r.main, string(r.mod), string(r.sum), strings.Join(r.flags, "\x00"), r.golang} {
		fmt.Fprintf(h, "%d\n%s\n", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

func (r recipe) cached(cache string) string {
	return filepath.Join(cache, r.name+"-"+r.digest())
}

// cacheFolder is outside every checkout, so that a clean clone does not build again.
func cacheFolder() (string, error) {
	if dir := os.Getenv("LIFEBOAT_LAB_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "lifeboat-lab"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no place for the cache: set LIFEBOAT_LAB_CACHE (%w)", err)
	}
	return filepath.Join(home, ".cache", "lifeboat-lab"), nil
}

// given looks for an etcd and a kube-apiserver that the machine already has, by the
// convention of envtest. Both or neither: they are tested together.
func given() (map[string]string, string, error) {
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		found := map[string]string{}
		for _, name := range []string{etcd, apiServer} {
			path, err := filepath.Abs(filepath.Join(dir, name))
			if err != nil {
				return nil, "", err
			}
			if _, err := exec.LookPath(path); err != nil {
				return nil, "", fmt.Errorf("KUBEBUILDER_ASSETS is set but has no %s (unset it to build one): %w", name, err)
			}
			found[name] = path
		}
		return found, "KUBEBUILDER_ASSETS", nil
	}
	found := map[string]string{}
	for _, name := range []string{etcd, apiServer} {
		path, err := exec.LookPath(name)
		if err != nil {
			return nil, "", nil
		}
		if found[name], err = filepath.Abs(path); err != nil {
			return nil, "", err
		}
	}
	return found, "PATH", nil
}

// findRepo walks upwards to the checkout, from the working directory and then from this
// program's own place (target/lab, when make built it).
func findRepo(said string) (string, error) {
	if said != "" {
		return filepath.Abs(said)
	}
	var starts []string
	if dir, err := os.Getwd(); err == nil {
		starts = append(starts, dir)
	}
	if exe, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(exe))
	}
	for _, dir := range starts {
		for {
			if _, err := os.Stat(filepath.Join(dir, "tests", "lab", "programs", "etcd", "go.mod")); err == nil {
				return dir, nil
			}
			up := filepath.Dir(dir)
			if up == dir {
				break
			}
			dir = up
		}
	}
	return "", fmt.Errorf("no checkout here: run inside it, or say --repo FOLDER")
}
