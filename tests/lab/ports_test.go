package main

import (
	"net"
	"testing"
)

func TestPortsAreFreeAndGivenOnce(t *testing.T) {
	held, err := (&ports{}).listen()
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	busy := held.Addr().(*net.TCPAddr).Port
	queue := []int{busy, busy}
	p := &ports{}
	p.pick = func() int {
		if len(queue) == 0 {
			p.pick = nil
			return busy
		}
		next := queue[0]
		queue = queue[1:]
		return next
	}
	seen := map[int]bool{}
	for range 100 {
		port, err := p.take()
		if err != nil {
			t.Fatal(err)
		}
		if port == busy || seen[port] || port < lowestPort || port > highestPort {
			t.Fatalf("port %d was given: held %v, given before %v", port, port == busy, seen[port])
		}
		seen[port] = true
	}
}
