package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The benchmark compares lifeboat, Velero and the barest loops on the same objects, on the
// same servers, in one run. Every round has a lab of its own, so nothing is ever cleaned;
// in it lifeboat and the loops take turns in going first.
type bench struct {
	lifeboat, bare, repo, out string
	sizes, velero             numbers
	rounds                    int
	found                     []measurement
}

// A measurement is one piece of work of one program.
type measurement struct {
	Program      string  `json:"program"` // lifeboat, bare, velero
	Work         string  `json:"work"`    // backup, restore
	Size         int     `json:"size"`    // objects that were seeded
	Round        int     `json:"round"`
	Objects      int     `json:"objects"` // that it handled
	Seconds      float64 `json:"seconds"`
	PeakRSSBytes int64   `json:"peakRssBytes"`
	APIRequests  int     `json:"apiRequests"`
	StoredBytes  int64   `json:"storedBytes,omitempty"`
	Load         string  `json:"load"` // average of the last minute when it began
}

func dispatchBench(args []string) error {
	b := bench{sizes: numbers{1000, 10000}, velero: numbers{1000, 10000}}
	flags := flag.NewFlagSet("lab bench", flag.ContinueOnError)
	flags.StringVar(&b.lifeboat, "lifeboat", "target/release/lifeboat", "the `program`")
	flags.StringVar(&b.bare, "bare", "target/release/examples/bare", "the `program` of the bare loops")
	flags.StringVar(&b.repo, "repo", "", "the checkout (default: found from the working directory upwards)")
	flags.StringVar(&b.out, "out", "target/bench-restore.json", "the `file` for all measurements")
	flags.Var(&b.sizes, "sizes", "how `many` objects: 1000,10000")
	flags.Var(&b.velero, "velero", "the `sizes` that Velero is measured with, too; 0: none")
	flags.IntVar(&b.rounds, "rounds", 3, "`times` that lifeboat and the loops are measured; the table has medians")
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp
	}
	for _, size := range b.sizes {
		for round := range b.rounds {
			if err := b.withLab(size, func(l benchLab) error { return b.round(l, size, round) }); err != nil {
				return err
			}
		}
		if slices.Contains(b.velero, size) {
			if err := b.withLab(size, func(l benchLab) error { return b.ofVelero(l, size) }); err != nil {
				return err
			}
		}
	}
	text, err := json.MarshalIndent(b.found, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(b.out, append(text, '\n'), 0o644); err != nil {
		return err
	}
	fmt.Print(b.table())
	return nil
}

// A benchLab is a fresh lab whose site east has the load.
type benchLab struct {
	at  layout
	lab description
}

func (b *bench) withLab(size int, work func(benchLab) error) error {
	dir, err := os.MkdirTemp("", "lab-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	at, err := openLayout(filepath.Join(dir, "lab"))
	if err != nil {
		return err
	}
	up := []string{"up", "--no-seed", "--without", "minio", "--dir", at.dir}
	if b.repo != "" {
		up = append(up, "--repo", b.repo)
	}
	if err := lab(up...); err != nil {
		return err
	}
	defer lab("down", "--dir", at.dir)
	if err := lab("seed", "--dir", at.dir, "--site", "east", "--objects", strconv.Itoa(size)); err != nil {
		return err
	}
	facts, err := readDescription(at)
	if err != nil {
		return err
	}
	return work(benchLab{at, facts})
}

// round measures lifeboat and the loops once.
func (b *bench) round(l benchLab, size, round int) error {
	turns := func(ours, bare func() error) error {
		if round%2 == 1 {
			ours, bare = bare, ours
		}
		return errors.Join(ours(), bare())
	}
	note := func(m measurement, err error) error { return b.note(m, size, round, err) }
	err := turns(
		func() error { return note(b.backup(l)) },
		func() error { return note(b.loop(l, "east", "backup", "list")) })
	if err != nil {
		return err
	}
	archive, err := l.only("vault/objects/*/*/backups/*/*.tar.gz")
	if err != nil {
		return err
	}
	return turns(
		func() error { return note(b.restore(l, strings.TrimSuffix(filepath.Base(archive), ".tar.gz"))) },
		func() error { return note(b.loop(l, "west", "restore", "create", archive, "bare-")) })
}

func (b *bench) note(m measurement, size, round int, err error) error {
	if err != nil {
		return fmt.Errorf("%s of %s, %d objects: %w", m.Work, m.Program, size, err)
	}
	m.Size, m.Round = size, round+1
	b.found = append(b.found, m)
	fmt.Fprintf(os.Stderr, "%-8s %-7s %6d objects: %8.2f s, %4d MiB, %6d requests; load %s\n",
		m.Program, m.Work, m.Objects, m.Seconds, m.PeakRSSBytes>>20, m.APIRequests, m.Load)
	return nil
}

func (b *bench) ours(l benchLab, args ...string) []string {
	return append([]string{b.lifeboat, "--sites", l.lab.SitesFile, "--state", l.at.path("..", "state"), "--plain"}, args...)
}

func (b *bench) backup(l benchLab) (measurement, error) {
	m := measurement{Program: "lifeboat", Work: "backup"}
	said, err := l.measure(&m, "east", b.ours(l, "backup", "create", "--site", "east", "--namespaces", "load-*", "--to", "vault", "--name", "bench"))
	if err != nil {
		return m, err
	}
	m.Objects, err = first(said, `(\d+) objects, \d+ bytes`)
	if err != nil {
		return m, err
	}
	m.StoredBytes, err = l.stored()
	return m, err
}

func (b *bench) restore(l benchLab, backup string) (measurement, error) {
	m := measurement{Program: "lifeboat", Work: "restore"}
	said, err := l.measure(&m, "west", b.ours(l, "restore", backup, "--from", "vault", "--to", "west", "--confirm", "west target"))
	if err != nil {
		return m, err
	}
	m.Objects, err = first(said, backup+`:\s+(\d+)\s+created`)
	return m, err
}

// loop is one of the bare programs, which time themselves: starting them is not their work.
func (b *bench) loop(l benchLab, site, work, verb string, more ...string) (measurement, error) {
	m := measurement{Program: "bare", Work: work}
	said, err := l.measure(&m, site, append([]string{b.bare, verb, l.lab.Kubeconfig, site}, more...))
	if err != nil {
		return m, err
	}
	var own struct {
		Seconds float64
		Objects int
	}
	err = json.Unmarshal([]byte(said), &own)
	m.Seconds, m.Objects = own.Seconds, own.Objects
	return m, err
}

// ofVelero measures its backup and restore of the whole load.
func (b *bench) ofVelero(l benchLab, size int) error {
	var namespaces []string
	for i := range loadNamespaces {
		namespaces = append(namespaces, fmt.Sprintf("load-%02d", i))
	}
	for _, work := range []struct{ verb, name, site string }{{"backup", "--name", "east"}, {"restore", "--backup", "west"}} {
		m := measurement{Program: "velero", Work: work.verb, Load: loadAverage()}
		site := []string{"--dir", l.at.dir, "--site", work.site}
		if err := lab(append([]string{"velero", "up", "--store", "vault"}, site...)...); err != nil {
			return err
		}
		if err := l.settle(work.site); err != nil {
			return err
		}
		args := append([]string{"velero", work.verb, work.name, "bench", "--namespaces", strings.Join(namespaces, ",")}, site...)
		said, err := self(args...).Output()
		var did veleroResult
		if err == nil {
			err = json.Unmarshal(said, &did)
		}
		m.Objects, m.Seconds, m.PeakRSSBytes, m.APIRequests = did.Items, did.Seconds, did.PeakRSSBytes, did.APIRequests
		if err == nil && work.verb == "backup" {
			m.StoredBytes, err = l.stored()
		}
		if err := b.note(m, size, 0, err); err != nil {
			return err
		}
		if err := lab(append([]string{"velero", "down"}, site...)...); err != nil {
			return err
		}
	}
	return nil
}

// measure runs a program once the site is quiet, and gives back what it printed.
func (l benchLab) measure(m *measurement, site string, args []string) (string, error) {
	if err := l.settle(site); err != nil {
		return "", err
	}
	log := l.lab.Sites[site].AuditLog
	before, err := os.Stat(log)
	if err != nil {
		return "", err
	}
	m.Load = loadAverage()
	command := exec.Command(args[0], args[1:]...)
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	began := time.Now()
	err = command.Run()
	m.Seconds = since(began)
	// 7: a run that ended well and measured no RTO, because nothing in it proves health.
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 7) {
		return "", fmt.Errorf("%w\n%s", err, lastLines(said.String(), 20))
	}
	if used, ok := command.ProcessState.SysUsage().(*syscall.Rusage); ok {
		m.PeakRSSBytes = used.Maxrss * 1024 // as Linux counts it
	}
	file, err := os.Open(log)
	if err != nil {
		return "", err
	}
	defer file.Close()
	if _, err := file.Seek(before.Size(), io.SeekStart); err != nil {
		return "", err
	}
	m.APIRequests, err = requestsOf(file, l.lab.Sites[site].User)
	return said.String(), err
}

// settle waits until the controllers of a site have nothing more to do: its audit log grows
// by little but leases.
func (l benchLab) settle(site string) error {
	log := l.lab.Sites[site].AuditLog
	last := int64(-1)
	for range 300 {
		at, err := os.Stat(log)
		if err != nil {
			return err
		}
		if last >= 0 && at.Size()-last < 64<<10 {
			return nil
		}
		last = at.Size()
		time.Sleep(time.Second)
	}
	return fmt.Errorf("the controllers of %s do not come to rest", site)
}

// stored is what lies in the store.
func (l benchLab) stored() (int64, error) {
	total := int64(0)
	err := filepath.Walk(l.at.path("vault/objects"), func(_ string, file os.FileInfo, err error) error {
		if err == nil && file.Mode().IsRegular() {
			total += file.Size()
		}
		return err
	})
	return total, err
}

func (l benchLab) only(pattern string) (string, error) {
	found, err := filepath.Glob(l.at.path(pattern))
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%d files are %s", len(found), pattern)
	}
	if err != nil {
		return "", err
	}
	return found[0], nil
}

// lab is a command of this program.
func lab(args ...string) error {
	command := self(args...)
	said, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("lab %s: %w\n%s", strings.Join(args, " "), err, lastLines(string(said), 20))
	}
	return nil
}

func self(args ...string) *exec.Cmd {
	program, err := os.Executable()
	if err != nil {
		program = os.Args[0]
	}
	return exec.Command(program, args...)
}

func first(text, pattern string) (int, error) {
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("nothing like %q in\n%s", pattern, lastLines(text, 20))
	}
	return strconv.Atoi(found[1])
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	load, _, _ := strings.Cut(string(text), " ")
	return load
}

// numbers is a flag that takes several numbers, with commas between them.
type numbers []int

func (n *numbers) String() string { return strings.Trim(fmt.Sprint([]int(*n)), "[]") }

func (n *numbers) Set(value string) error {
	*n = nil
	for _, word := range strings.Split(value, ",") {
		number, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || number < 0 {
			return fmt.Errorf("%q is not a number of objects", word)
		}
		*n = append(*n, number)
	}
	return nil
}
