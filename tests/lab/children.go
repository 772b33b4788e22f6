package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A spawner starts every child from one thread that lives as long as the supervisor:
// Linux ties a child's death signal to the thread that started it, not to the process.
type spawner struct {
	requests chan func()
}

func newSpawner() *spawner {
	s := &spawner{make(chan func())}
	go func() {
		runtime.LockOSThread()
		for start := range s.requests {
			start()
		}
	}()
	return s
}

func (s *spawner) start(cmd *exec.Cmd) error {
	done := make(chan error)
	s.requests <- func() { done <- cmd.Start() }
	return <-done
}

// A child is one running server.
type child struct {
	name string // "east/etcd"
	log  string
	identity
	hold   io.Closer // of a kept one: closing it ends the whole family
	ended  chan struct{}
	err    error // why it ended; read after ended is closed
	wanted bool  // somebody asked for its end
}

// children starts servers, waits until they answer, and ends them all.
type children struct {
	spawner  *spawner
	record   *record
	at       layout
	ports    *ports
	say      func(string)
	mu       sync.Mutex
	all      []*child
	stopping bool
}

// A server says how to start one program and how to know that it is up.
type server struct {
	owner   string // the site or store it belongs to
	name    string
	path    string
	ports   int // how many it needs
	args    func(ports []int) []string
	env     []string
	kept    bool // it starts processes of its own, which must end with it
	within  time.Duration
	answers func(ctx context.Context, ports []int) error // must fail for another lab's server
}

var errPortTaken = errors.New("port taken")

// start runs a server and returns when it answers. If another program took one of its
// ports first, it starts again with others.
func (c *children) start(ctx context.Context, s server) (*child, []int, error) {
	for range 6 {
		taken := make([]int, s.ports)
		for i := range taken {
			var err error
			if taken[i], err = c.ports.take(); err != nil {
				return nil, nil, err
			}
		}
		child, err := c.launch(s, taken)
		if err == nil {
			err = child.wait(ctx, s, taken)
		}
		if err == nil {
			go c.watch(child)
			return child, taken, nil
		}
		if !errors.Is(err, errPortTaken) {
			return nil, nil, err
		}
		c.say(fmt.Sprintf("Another program took a port of %s of %s; starting it again with another.", s.name, s.owner))
	}
	return nil, nil, fmt.Errorf("%s of %s lost the race for a port 6 times; something takes every port between %d and %d", s.name, s.owner, lowestPort, highestPort)
}

func (c *children) launch(s server, taken []int) (*child, error) {
	home := c.at.path(s.owner, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	file := c.at.path(s.owner, s.name+".log")
	log, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd, hold, err := command(s, taken)
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = home
	// Nothing of the caller's environment: no proxies, no kubeconfig, no cloud account.
	cmd.Env = append([]string{"HOME=" + home, "TMPDIR=" + home, "PATH=/usr/bin:/bin", "TZ=UTC"}, s.env...)

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping {
		return nil, context.Canceled
	}
	if err := c.spawner.start(cmd); err != nil {
		return nil, fmt.Errorf("starting %s of %s: %w", s.name, s.owner, err)
	}
	made := &child{
		name:     filepath.Join(s.owner, s.name),
		log:      file,
		identity: identify(cmd.Process.Pid),
		hold:     hold,
		ended:    make(chan struct{}),
	}
	c.all = append(c.all, made)
	go func() {
		made.err = cmd.Wait()
		close(made.ended)
	}()
	return made, c.record.add(made.name, made.identity)
}

// command is what to start for a server, and what to close to end it, if it is kept.
func command(s server, taken []int) (*exec.Cmd, io.Closer, error) {
	if !s.kept {
		cmd := exec.Command(s.path, s.args(taken)...)
		cmd.SysProcAttr = dieWithParent()
		return cmd, nil, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(self, append([]string{"keep", s.path}, s.args(taken)...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	hold, err := cmd.StdinPipe()
	return cmd, hold, err
}

// wait returns when the server answers, has ended, or has taken too long.
func (c *child) wait(ctx context.Context, s server, taken []int) error {
	ctx, cancel := context.WithTimeout(ctx, s.within)
	defer cancel()
	var last error
	for {
		once, done := context.WithTimeout(ctx, 5*time.Second)
		err := s.answers(once, taken)
		done()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-c.ended:
			if c.lostPort(taken) {
				return errPortTaken
			}
			return fmt.Errorf("%s of %s ended before it was ready (%v); its log %s ends with:\n%s", s.name, s.owner, c.err, c.log, tail(c.log))
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return fmt.Errorf("%s of %s was not ready in %s (%v); its log %s ends with:\n%s", s.name, s.owner, s.within, last, c.log, tail(c.log))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// lostPort: a server that ended, one of whose ports somebody now holds, or whose last
// words were about that, lost the race for it.
func (c *child) lostPort(taken []int) bool {
	for _, port := range taken {
		if !free(port) {
			return true
		}
	}
	return len(taken) > 0 && strings.Contains(tail(c.log), "already in use")
}

// watch tells when a server ends by itself. The lab goes on: a test may well have killed
// it, because a site that is down is what this is all about.
func (c *children) watch(made *child) {
	<-made.ended
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopping && !made.wanted {
		c.say(fmt.Sprintf("%s ended: %v; its log is %s.", made.name, made.err, made.log))
	}
}

// stop kills outright: the data is thrown away next, and audit logs are written unbuffered.
func (c *children) stop() {
	c.mu.Lock()
	c.stopping = true
	all := c.all
	c.mu.Unlock()
	for _, made := range all {
		made.kill()
	}
	for _, made := range all {
		if !made.over() {
			c.say(fmt.Sprintf("%s (pid %d) does not end.", made.name, made.PID))
		}
	}
}

// kill asks for the end of a server, and of everything that it started.
func (c *child) kill() {
	if c.hold != nil {
		c.hold.Close()
		return
	}
	c.signal(syscall.SIGKILL)
}

// over waits for the end that was asked for.
func (c *child) over() bool {
	select {
	case <-c.ended:
		return true
	case <-time.After(5 * time.Second):
		return false
	}
}

// find returns the running server of that name, or nil.
func (c *children) find(name string) *child {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, made := range c.all {
		if made.name == name && made.alive() {
			return made
		}
	}
	return nil
}

// end ends one server for good; false says that none of that name runs.
func (c *children) end(name string) (bool, error) {
	made := c.find(name)
	if made == nil {
		return false, nil
	}
	c.mu.Lock()
	made.wanted = true
	c.mu.Unlock()
	made.kill()
	if !made.over() {
		return true, fmt.Errorf("%s (pid %d) does not end", made.name, made.PID)
	}
	return true, nil
}

func tail(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return lastLines(string(text), 8)
}
