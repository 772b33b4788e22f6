package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Below 32768, where Linux begins to hand out ports for outgoing connections: a port from
// that range can be in use for a moment at any time.
const (
	lowestPort  = 20000
	highestPort = 32767
)

// ports gives out ports that nobody holds and that it has not given out before. Between
// the look and the server's own bind another program may take the port, so whoever starts
// a server asks again when that happened. Starting at random, two labs seldom meet.
type ports struct {
	mu    sync.Mutex
	given map[int]bool
	pick  func() int // nil: at random
}

func (p *ports) take() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.given == nil {
		p.given = map[int]bool{}
	}
	for range 1000 {
		port := lowestPort + rand.IntN(highestPort-lowestPort+1)
		if p.pick != nil {
			port = p.pick()
		}
		if !p.given[port] && free(port) {
			p.given[port] = true
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d after 1000 tries", lowestPort, highestPort)
}

// listen opens a listener of the lab's own. Here look and bind are one act.
func (p *ports) listen() (net.Listener, error) {
	for range 20 {
		port, err := p.take()
		if err != nil {
			return nil, err
		}
		if l, err := net.Listen("tcp", loopback(port)); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("no port could be bound after 20 tries")
}

func free(port int) bool {
	l, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
