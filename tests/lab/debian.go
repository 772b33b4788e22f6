package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A debian is a set of programs of this machine's own release, fetched with its package
// manager and unpacked into the cache: nothing is installed, and nothing that was installed
// by hand is used. Only for programs that no Go module holds.
type debian struct {
	name     string   // of its folder in the cache
	packages []string // their libraries come along
	program  string   // one that must be there in the end
	// Of packages that carry a version in their names: the one without, which depends on them.
	// Then VERSION in the names above is that of this machine's release.
	newest string
	// Libraries that programs do without, and that are large.
	without string
}

var bind = debian{name: "bind9", packages: []string{"bind9", "bind9-libs", "bind9-dnsutils"}, program: "usr/sbin/named"}

// errNoPackages: this machine cannot provide the programs, and the lab does without.
var errNoPackages = errors.New("no packages")

// A bundle is an unpacked set of packages.
type bundle struct {
	root string
	d    debian
}

// provideBundle returns the unpacked packages, fetching them if they are not in the cache.
func provideBundle(ctx context.Context, d debian, say func(string)) (bundle, error) {
	for _, tool := range []string{"apt-get", "apt-cache", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return bundle{}, fmt.Errorf("%w: this machine has no %s, and %s comes from Debian's packages", errNoPackages, tool, d.name)
		}
	}
	cache, err := cacheFolder()
	if err != nil {
		return bundle{}, err
	}
	d, err = d.ofRelease(ctx)
	if err != nil {
		return bundle{}, fmt.Errorf("%w: %v", errNoPackages, err)
	}
	all, err := d.closure(ctx)
	if err != nil {
		return bundle{}, fmt.Errorf("%w: %v", errNoPackages, err)
	}
	digest, err := d.digest(ctx, all)
	if err != nil {
		return bundle{}, fmt.Errorf("%w: %v", errNoPackages, err)
	}
	made := bundle{root: filepath.Join(cache, d.name+"-"+digest), d: d}
	if _, err := os.Stat(made.path(d.program)); err == nil {
		return made, nil
	}
	say(fmt.Sprintf("Fetching %s, %d packages, with apt-get.", d.name, len(all)))
	began := time.Now()
	if err := d.unpack(ctx, all, cache, made.root); err != nil {
		return bundle{}, err
	}
	say(fmt.Sprintf("Unpacked %s into the cache in %s; nothing was installed.", d.name, took(began)))
	return made, nil
}

// ofRelease has the version of this machine's release in all names.
func (d debian) ofRelease(ctx context.Context) (debian, error) {
	if d.newest == "" {
		return d, nil
	}
	said, err := packageManager(ctx, "", "apt-cache", "depends", d.newest)
	if err != nil {
		return d, err
	}
	found := regexp.MustCompile(`Depends: ` + d.newest + `-(\d+)\b`).FindStringSubmatch(said)
	if found == nil {
		return d, fmt.Errorf("%s depends on no version of itself", d.newest)
	}
	named := func(name string) string { return strings.ReplaceAll(name, "VERSION", found[1]) }
	packages := make([]string, len(d.packages))
	for i, name := range d.packages {
		packages[i] = named(name)
	}
	d.packages, d.program = packages, named(d.program)
	return d, nil
}

// closure adds the libraries that packages depend on. Not the C library, which belongs to
// the machine's own loader, and nothing that only setting up a service takes.
func (d debian) closure(ctx context.Context) ([]string, error) {
	all := slices.Clone(d.packages)
	for next := d.packages; len(next) > 0; {
		args := append([]string{"depends", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances", "--no-pre-depends"}, next...)
		said, err := packageManager(ctx, "", "apt-cache", args...)
		if err != nil {
			return nil, err
		}
		next = nil
		for line := range strings.Lines(said) {
			name, found := strings.CutPrefix(strings.TrimSpace(strings.ReplaceAll(line, "|", " ")), "Depends: ")
			library := strings.HasPrefix(name, "lib") || name == "zlib1g"
			library = library && (d.without == "" || !strings.HasPrefix(name, d.without))
			if found && library && name != "libc6" && !slices.Contains(all, name) {
				all, next = append(all, name), append(next, name)
			}
		}
	}
	slices.Sort(all)
	return all, nil
}

// digest is of the packages' own checksums, which the machine's lists name without fetching.
func (d debian) digest(ctx context.Context, all []string) (string, error) {
	said, err := packageManager(ctx, "", "apt-get", append([]string{"download", "--print-uris", "-qq"}, all...)...)
	if err != nil {
		return "", err
	}
	var sums []string
	for line := range strings.Lines(said) {
		fields := strings.Fields(line) // 'uri' file size algorithm:sum
		if len(fields) != 4 {
			return "", fmt.Errorf("apt-get names no checksum: %s", strings.TrimSpace(line))
		}
		sums = append(sums, fields[1]+" "+fields[3])
	}
	if len(sums) != len(all) {
		return "", fmt.Errorf("apt-get knows %d of %d packages; `apt-get update` fetches its lists", len(sums), len(all))
	}
	slices.Sort(sums)
	sum := sha256.Sum256([]byte(strings.Join(sums, "\n")))
	return hex.EncodeToString(sum[:])[:16], nil
}

// unpack fetches into a folder beside the place and renames the whole, so that no reader
// ever sees half of it. apt-get compares the checksums.
func (d debian) unpack(ctx context.Context, all []string, cache, to string) error {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	made, err := os.MkdirTemp(cache, "fetching-"+d.name+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(made)
	files, root := filepath.Join(made, "packages"), filepath.Join(made, "root")
	for _, folder := range []string{files, root} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			return err
		}
	}
	if _, err := packageManager(ctx, files, "apt-get", append([]string{"download", "-qq"}, all...)...); err != nil {
		return fmt.Errorf("%w: %v", errNoPackages, err)
	}
	fetched, err := filepath.Glob(filepath.Join(files, "*.deb"))
	if err != nil {
		return err
	}
	for _, file := range fetched {
		if _, err := packageManager(ctx, files, "dpkg-deb", "--extract", file, root); err != nil {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(root, d.program)); err != nil {
		return fmt.Errorf("the packages hold no %s: %w", d.program, err)
	}
	err = os.Rename(root, to)
	if _, there := os.Stat(filepath.Join(to, d.program)); there == nil {
		return nil // made now, or by another lab a moment ago
	}
	return err
}

func packageManager(ctx context.Context, folder, tool string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", tool, args[0], err, lastLines(errs.String(), 3))
	}
	return out.String(), nil
}

func (b bundle) path(file string) string { return filepath.Join(b.root, file) }

// environment has a program find the libraries that came along before those of the machine.
func (b bundle) environment() string {
	folders, _ := filepath.Glob(b.path("usr/lib/*-linux-*"))
	more, _ := filepath.Glob(b.path("lib/*-linux-*"))
	return "LD_LIBRARY_PATH=" + strings.Join(append(folders, more...), ":")
}
