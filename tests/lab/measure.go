package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"time"
)

// A meter watches a kept server and everything that it starts. See keep.go: the server is
// the only child of the recorded process.
type meter struct {
	keeper   identity
	audit    string // the site's audit log
	user     string
	offset   int64 // where the audit log ended at the start
	cpu      time.Duration
	began    time.Time
	stop     chan struct{}
	stopped  chan struct{}
	server   int64
	together int64
}

// A cost is what a server and its plugins took for one piece of work.
type cost struct {
	Seconds            float64 `json:"seconds"`
	PeakRSSBytes       int64   `json:"peakRssBytes"`       // high-water marks of processes alive together, added up
	ServerPeakRSSBytes int64   `json:"serverPeakRssBytes"` // of the server alone
	CPUSeconds         float64 `json:"cpuSeconds"`         // plugins that have ended included
	APIRequests        int     `json:"apiRequests"`        // from the audit log, of every verb
}

// How often memory is looked at: often enough to see a plugin process that lives a second.
const look = 50 * time.Millisecond

// watchFrom begins to measure. Peaks of earlier work are forgotten.
func watchFrom(keeper identity, audit, user string) (*meter, error) {
	m := &meter{keeper: keeper, audit: audit, user: user, stop: make(chan struct{}), stopped: make(chan struct{})}
	at, err := os.Stat(audit)
	if err != nil {
		return nil, err
	}
	for _, pid := range family(keeper.PID) {
		if err := forgetPeak(pid); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	m.offset, m.cpu, m.began = at.Size(), m.processorTime(), time.Now()
	go m.watch()
	return m, nil
}

func (m *meter) processorTime() time.Duration {
	total := time.Duration(0)
	for _, pid := range family(m.keeper.PID) {
		total += processorTime(pid)
	}
	return total
}

func (m *meter) watch() {
	defer close(m.stopped)
	for {
		m.sample()
		select {
		case <-m.stop:
			m.sample()
			return
		case <-time.After(look):
		}
	}
}

func (m *meter) sample() {
	now := int64(0)
	for i, pid := range family(m.keeper.PID) {
		peak := peakMemory(pid)
		now += peak
		if i == 0 {
			m.server = max(m.server, peak)
		}
	}
	m.together = max(m.together, now)
}

// done ends the measuring and says what was used.
func (m *meter) done() (cost, error) {
	u := cost{Seconds: since(m.began)}
	close(m.stop)
	<-m.stopped
	u.PeakRSSBytes, u.ServerPeakRSSBytes = m.together, m.server
	u.CPUSeconds = (m.processorTime() - m.cpu).Seconds()
	file, err := os.Open(m.audit)
	if err != nil {
		return u, err
	}
	defer file.Close()
	if _, err := file.Seek(m.offset, io.SeekStart); err != nil {
		return u, err
	}
	u.APIRequests, err = requestsOf(file, m.user)
	return u, err
}

// requestsOf counts the lines of an audit log that are about one user's requests.
func requestsOf(log io.Reader, user string) (int, error) {
	lines, count := bufio.NewReaderSize(log, 1<<20), 0
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return count, nil // a last line without its end is still being written
		}
		if err != nil {
			return count, err
		}
		if !bytes.Contains(line, []byte(user)) { // most lines are long and somebody else's
			continue
		}
		var entry struct{ User struct{ Username string } }
		if err := json.Unmarshal(line, &entry); err != nil {
			return count, err
		}
		if entry.User.Username == user {
			count++
		}
	}
}
