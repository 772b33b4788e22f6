package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
)

// runDetached starts a supervisor of its own session, shows what it reports, and returns
// when the lab is ready.
func runDetached(at layout, o upOptions) error {
	if p, _ := at.processes(); !p.Supervisor.gone(dying) {
		return at.running()
	}
	if err := at.prepare(); err != nil {
		return err
	}
	repo, err := findRepo(o.repo)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(at.path(logFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	reports, write, err := os.Pipe()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := []string{"up", "--foreground", "--detached", "--dir", at.dir, "--repo", repo}
	if len(o.without) > 0 {
		args = append(args, "--without", o.without.String())
	}
	if o.noSeed {
		args = append(args, "--no-seed")
	}
	if o.forget > 0 {
		args = append(args, "--forget", o.forget.String())
	}
	cmd := exec.Command(self, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{write}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	write.Close()

	// Ctrl-C here means: do not start a lab after all.
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	go func() {
		for range interrupts {
			cmd.Process.Signal(syscall.SIGTERM)
		}
	}()
	lines := bufio.NewScanner(reports)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		kind, text, _ := strings.Cut(lines.Text(), " ")
		switch kind {
		case "say":
			fmt.Println(text)
		case "ready":
			return nil
		case "failed":
			cmd.Wait()
			return fmt.Errorf("%s", strings.ReplaceAll(text, "\x00", "\n"))
		}
	}
	return fmt.Errorf("the supervisor ended without a word (%v); its log %s ends with:\n%s", cmd.Wait(), at.path(logFile), tail(at.path(logFile)))
}

// A reporter is the other end: it tells the waiting command how starting goes.
type reporter struct {
	once sync.Once
	mu   sync.Mutex
	pipe *os.File
}

func newReporter() *reporter {
	// The servers must not inherit it, or nobody would ever see it close.
	syscall.CloseOnExec(3)
	return &reporter{pipe: os.NewFile(3, "reports")}
}

func (r *reporter) send(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintln(r.pipe, strings.ReplaceAll(line, "\n", "\x00")) // whoever waited may be gone
}

func (r *reporter) wrap(say func(string)) func(string) {
	return func(line string) {
		say(line)
		r.send("say " + line)
	}
}

// finish reports the outcome, once.
func (r *reporter) finish(err error) {
	r.once.Do(func() {
		if err != nil {
			r.send("failed " + err.Error())
		} else {
			r.send("ready")
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.pipe.Close()
	})
}
