package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// A layout is the lab's own folder D. Everything a lab writes is in there.
type layout struct{ dir string }

const (
	lockFile      = ".lab.lock" // held by the supervisor; also marks the folder as a lab's
	processesFile = "processes.json"
	labFile       = "lab.json"
	logFile       = "supervisor.log"
)

// A process that was killed a moment ago may still be there for this long.
const dying = 2 * time.Second

// What a user or a test connects with: gone as soon as the lab is.
var doors = []string{labFile, "kubeconfig", "credentials", "sites.yaml", namesKey + ".key", strangeKey + ".key"}

// What a lab leaves behind: cleared by the next one.
var rooms = []string{"east", "west", "vault", "second", "vault-directory", namesOwner}

func openLayout(dir string) (layout, error) {
	abs, err := filepath.Abs(dir)
	return layout{abs}, err
}

func (l layout) path(parts ...string) string {
	return filepath.Join(append([]string{l.dir}, parts...)...)
}

// prepare makes the folder and refuses one that is not the lab's: it will be emptied.
func (l layout) prepare() error {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return err
	}
	if _, err := os.Stat(l.path(lockFile)); len(entries) > 0 && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is not empty and not a lab's folder: choose another --dir", l.dir)
	}
	lock, err := os.OpenFile(l.path(lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return lock.Close()
}

// claim takes the folder for this process, ends what an earlier lab left running in it and
// removes what that left lying. The claim lasts as long as the returned file is open.
func (l layout) claim(say func(string)) (*os.File, error) {
	if err := l.prepare(); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(l.path(lockFile), os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(dying); !tryLock(lock); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			lock.Close()
			return nil, l.running()
		}
	}
	old, err := l.processes()
	if err != nil {
		say(fmt.Sprintf("The record of an earlier lab is unreadable and was ignored: %v.", err))
	}
	if left := old.kill(); left > 0 {
		say(fmt.Sprintf("Ended %d processes that an earlier lab had left in %s.", left, l.dir))
	}
	if err := l.remove(append([]string{processesFile}, append(doors, rooms...)...)); err != nil {
		return nil, err
	}
	return lock, os.Truncate(l.touch(logFile), 0)
}

func (l layout) running() error {
	p, _ := l.processes()
	return fmt.Errorf("a lab is already running in %s (pid %d): end it with `lab down --dir %s`", l.dir, p.Supervisor.PID, l.dir)
}

func (l layout) touch(name string) string {
	if f, err := os.OpenFile(l.path(name), os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
		f.Close()
	}
	return l.path(name)
}

func (l layout) remove(names []string) error {
	var all error
	for _, name := range names {
		all = errors.Join(all, os.RemoveAll(l.path(name)))
	}
	return all
}

// removeData keeps logs and audit logs, which are what one reads after a lab has ended.
func (l layout) removeData() error {
	data := append([]string{"vault/objects", "vault/versions", "second/objects"}, doors...)
	return l.remove(append(data, "east/etcd", "west/etcd"))
}

// write puts a whole file in place at once: readers see the old one or the new one.
func (l layout) write(name string, text []byte) error {
	if err := os.WriteFile(l.path(name+".new"), text, 0o600); err != nil {
		return err
	}
	return os.Rename(l.path(name+".new"), l.path(name))
}

func (l layout) writeJSON(name string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return l.write(name, append(text, '\n'))
}

// An identity names a process for ever: a pid alone is given to another one some day.
type identity struct {
	PID     int    `json:"pid"`
	Started string `json:"started"`
}

func identify(pid int) identity { return identity{pid, startTime(pid)} }

func (i identity) alive() bool {
	return i.PID > 0 && i.Started != "" && startTime(i.PID) == i.Started
}

// signal reaches only the very process that was recorded.
func (i identity) signal(s syscall.Signal) bool {
	return i.alive() && syscall.Kill(i.PID, s) == nil
}

// gone waits until the process has ended.
func (i identity) gone(within time.Duration) bool {
	for end := time.Now().Add(within); i.alive(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// processes is what a lab has started, so that its successor can find it.
type processes struct {
	Supervisor identity            `json:"supervisor"`
	Children   map[string]identity `json:"children"`
}

func (l layout) processes() (processes, error) {
	var p processes
	text, err := os.ReadFile(l.path(processesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	return p, err
}

// kill ends whatever of the record is still alive and says how many that were.
func (p processes) kill() int {
	killed := 0
	for _, i := range p.all() {
		if i.signal(syscall.SIGKILL) {
			killed++
			i.gone(5 * time.Second)
		}
	}
	return killed
}

func (p processes) all() []identity {
	list := []identity{p.Supervisor}
	for _, i := range p.Children {
		list = append(list, i)
	}
	return list
}

// record keeps processes.json up to date while a lab runs.
type record struct {
	mu  sync.Mutex
	at  layout
	now processes
}

func newRecord(at layout) (*record, error) {
	r := &record{at: at, now: processes{identify(os.Getpid()), map[string]identity{}}}
	return r, at.writeJSON(processesFile, r.now)
}

func (r *record) add(name string, i identity) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now.Children[name] = i
	return r.at.writeJSON(processesFile, r.now)
}
