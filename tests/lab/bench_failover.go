package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// How long the shop's failover takes from the word that it begins to an answer that proves
// health, with no person to wait for; and how much of that time lifeboat itself computes.

// A takeover is one failover, measured.
type takeover struct {
	whole     time.Duration // from the start of `declare` to the record of the proof
	before    time.Duration // of it, until the first step: `declare`, plan and preflight
	processor time.Duration // of lifeboat's processes, in all threads
	load      string
}

func (t takeover) share() float64 { return 100 * t.processor.Seconds() / t.whole.Seconds() }

func dispatchBenchFailover(args []string) error {
	b := bench{}
	flags := flag.NewFlagSet("lab bench-failover", flag.ContinueOnError)
	flags.StringVar(&b.lifeboat, "lifeboat", "target/release/lifeboat", "the `program`")
	flags.IntVar(&b.rounds, "rounds", 5, "`times`, each in a lab of its own; the median is said")
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp
	}
	if b.rounds < 1 {
		return fmt.Errorf("--rounds %d: at least one", b.rounds)
	}
	var all []takeover
	for round := range b.rounds {
		t, err := b.failover()
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%d: %.2f s, %.2f s of them before the first step; %.2f s of processor time, %.1f %%; load %s\n",
			round+1, t.whole.Seconds(), t.before.Seconds(), t.processor.Seconds(), t.share(), t.load)
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b takeover) int { return int(a.whole - b.whole) })
	t := all[len(all)/2]
	fmt.Printf("the shop from declare to verified health: %.2f s (median of %d; %.2f to %.2f), lifeboat's own %.1f %% of it\n",
		t.whole.Seconds(), len(all), all[0].whole.Seconds(), all[len(all)-1].whole.Seconds(), t.share())
	return nil
}

// failover does it once, in a fresh lab with the shop at east.
func (b *bench) failover() (takeover, error) {
	dir, err := os.MkdirTemp("", "lab-bench-")
	if err != nil {
		return takeover{}, err
	}
	defer os.RemoveAll(dir)
	at, err := openLayout(filepath.Join(dir, "lab"))
	if err != nil {
		return takeover{}, err
	}
	if err := lab("up", "--without", "minio", "--dir", at.dir); err != nil {
		return takeover{}, err
	}
	defer lab("down", "--dir", at.dir)
	facts, err := readDescription(at)
	if err != nil {
		return takeover{}, err
	}
	l := benchLab{at, facts}
	shop := "playbooks/shop"
	if _, err := b.timed(l, 0, "protect", shop); err != nil {
		return takeover{}, err
	}
	for _, site := range []string{"east", "west"} {
		if err := l.settle(site); err != nil {
			return takeover{}, err
		}
	}
	t := takeover{load: loadAverage()}
	began := time.Now()
	declared, err := b.timed(l, 0, "declare", shop, "--as", "anna", "--reason", "a measurement")
	if err != nil {
		return takeover{}, err
	}
	// It ends where it asks a person whether customers may be sent there: 4.
	ran, err := b.timed(l, 4, "failover", shop, "--confirm", "west standby")
	if err != nil {
		return takeover{}, err
	}
	t.processor = declared + ran
	first, proved, err := moments(filepath.Join(at.path("..", "state"), "runs"))
	t.whole, t.before = proved.Sub(began), first.Sub(began)
	return t, err
}

// timed runs lifeboat, which has to end with this code; how long it computed.
func (b *bench) timed(l benchLab, code int, args ...string) (time.Duration, error) {
	argv := b.ours(l, args...)
	command := exec.Command(argv[0], argv[1:]...)
	said, err := command.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	if ended := command.ProcessState.ExitCode(); ended != code {
		return 0, fmt.Errorf("%s ended with %d, not %d:\n%s", args[0], ended, code, lastLines(string(said), 30))
	}
	return command.ProcessState.UserTime() + command.ProcessState.SystemTime(), nil
}

// moments are those of a failover's first intent and of the end of the last step that acted,
// which is the probe, as its journal dates them.
func moments(runs string) (first, proved time.Time, err error) {
	found, err := filepath.Glob(filepath.Join(runs, "shop-f-*", "journal.jsonl"))
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%d failovers in %s", len(found), runs)
	}
	if err != nil {
		return first, proved, err
	}
	file, err := os.Open(found[0])
	if err != nil {
		return first, proved, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 64<<20)
	last := ""
	for lines.Scan() {
		var entry struct {
			At    time.Time
			Event struct {
				Intended  *struct{}
				Performed *struct {
					Receipt struct{ Summary string }
				}
			}
		}
		// The first record begins the run, and its shape is another.
		if err := json.Unmarshal(lines.Bytes(), &entry); err != nil {
			return first, proved, err
		}
		if entry.Event.Intended != nil && first.IsZero() {
			first = entry.At
		}
		if entry.Event.Performed != nil {
			proved, last = entry.At, entry.Event.Performed.Receipt.Summary
		}
	}
	if err := lines.Err(); err != nil {
		return first, proved, err
	}
	if !strings.Contains(last, "good answers in a row") {
		return first, proved, fmt.Errorf("the last thing that the failover did was no probe: %q", last)
	}
	return first, proved, nil
}
