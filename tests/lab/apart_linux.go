package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// A command apart is on a machine of its own, as far as the network is concerned: a network
// namespace in which nothing of this machine can be reached but the lab's servers that it
// was given, at the addresses that they have here. Sockets in a folder lead out of it: those
// are of the file system and of no namespace.
type apart struct {
	reach  []int // loopback ports that lead to the same port outside
	silent []int // loopback ports where somebody listens and never says a word
	argv   []string
}

// runApart is outside: it carries what comes through the sockets to the servers.
func runApart(a apart) error {
	room, err := os.MkdirTemp("", "lab-apart-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(room)
	for _, port := range a.reach {
		l, err := net.Listen("unix", filepath.Join(room, strconv.Itoa(port)))
		if err != nil {
			return err
		}
		go relay(l, "tcp", loopback(port))
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := append([]string{"apart-inside", room, portList(a.reach), portList(a.silent), "--"}, a.argv...)
	cmd := exec.Command(self, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	return asChild(cmd)
}

// runApartInside has the namespace to itself, and runs the command there.
func runApartInside(args []string) error {
	if len(args) < 5 || args[3] != "--" {
		return errors.New("apart-inside is internal: see apart")
	}
	if err := raiseLoopback(); err != nil {
		return fmt.Errorf("raising the loopback interface: %w", err)
	}
	for _, port := range portsOf(args[1]) {
		l, err := net.Listen("tcp", loopback(port))
		if err != nil {
			return err
		}
		go relay(l, "unix", filepath.Join(args[0], strconv.Itoa(port)))
	}
	for _, port := range portsOf(args[2]) {
		// Its connections are taken by the kernel and by nobody else.
		if _, err := net.Listen("tcp", loopback(port)); err != nil {
			return err
		}
	}
	cmd := exec.Command(args[4], args[5:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return asChild(cmd)
}

// asChild runs it and ends as it ends.
func asChild(cmd *exec.Cmd) error {
	err := cmd.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.Exited() {
		os.Exit(ended.ExitCode())
	}
	return err
}

// relay carries connections to another address, both ways, until either end closes.
func relay(l net.Listener, network, address string) {
	for {
		from, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer from.Close()
			to, err := net.Dial(network, address)
			if err != nil {
				return
			}
			defer to.Close()
			done := make(chan struct{}, 2)
			one := func(to, from net.Conn) {
				io.Copy(to, from)
				done <- struct{}{}
			}
			go one(to, from)
			go one(from, to)
			<-done
		}()
	}
}

// raiseLoopback does what `ip link set lo up` does: a new namespace has it down.
func raiseLoopback() error {
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(s)
	request := struct { // ifreq of <linux/if.h>
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		rest  [22]byte
	}{flags: syscall.IFF_UP | syscall.IFF_RUNNING}
	copy(request.name[:], "lo")
	_, _, failed := syscall.Syscall(syscall.SYS_IOCTL, uintptr(s), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request)))
	if failed != 0 {
		return failed
	}
	return nil
}

func portList(ports []int) string {
	words := make([]string, len(ports))
	for i, port := range ports {
		words[i] = strconv.Itoa(port)
	}
	return strings.Join(words, ",")
}

// portsOf is portList the other way round; what is no number was not written by portList.
func portsOf(list string) []int {
	var found []int
	for _, word := range strings.Split(list, ",") {
		if port, err := strconv.Atoi(word); err == nil {
			found = append(found, port)
		}
	}
	return found
}
