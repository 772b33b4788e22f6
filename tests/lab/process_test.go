package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary plays the servers of these tests, and a supervisor that gets killed.
func TestMain(m *testing.M) {
	switch os.Getenv("LAB_TEST_ROLE") {
	case "server":
		l, err := net.Listen("tcp", os.Args[1])
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		for {
			if conn, err := l.Accept(); err == nil {
				fmt.Fprintln(conn, os.Args[2])
				conn.Close()
			}
		}
	case "keeper":
		if runKeep(os.Args[1:]) != nil {
			os.Exit(1)
		}
		os.Exit(0)
	case "supervisor":
		at, _ := openLayout(os.Args[1])
		lock, err := at.claim(func(string) {})
		if err != nil {
			panic(err)
		}
		defer lock.Close()
		made, _, err := testChildren(at).start(context.Background(), testServer(nil))
		if err != nil {
			panic(err)
		}
		fmt.Println(made.PID, made.Started)
		select {}
	}
	os.Exit(m.Run())
}

func testChildren(at layout) *children {
	record, err := newRecord(at)
	if err != nil {
		panic(err)
	}
	return &children{spawner: newSpawner(), record: record, at: at, ports: &ports{}, say: func(string) {}}
}

// testServer says a word that only it knows. What comes between the choice of its port
// and its start is the caller's.
func testServer(between func(port int)) server {
	word := secret()
	return server{
		owner: "east", name: "server", path: os.Args[0], ports: 1, within: 10 * time.Second,
		env: []string{"LAB_TEST_ROLE=server"},
		args: func(p []int) []string {
			if between != nil {
				between(p[0])
			}
			return []string{loopback(p[0]), word}
		},
		answers: func(_ context.Context, p []int) error {
			conn, err := net.DialTimeout("tcp", loopback(p[0]), time.Second)
			if err != nil {
				return err
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(200 * time.Millisecond))
			got, err := bufio.NewReader(conn).ReadString('\n')
			if err == nil && strings.TrimSpace(got) != word {
				err = fmt.Errorf("somebody else answers: %s", got)
			}
			return err
		},
	}
}

func claimed(t *testing.T) layout {
	t.Helper()
	at, _ := openLayout(t.TempDir())
	lock, err := at.claim(func(line string) { t.Log(line) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() })
	return at
}

func TestLostRaceForAPort(t *testing.T) {
	c := testChildren(claimed(t))
	defer c.stop()
	lost := 0
	_, taken, err := c.start(context.Background(), testServer(func(port int) {
		if lost != 0 {
			return
		}
		lost = port
		thief, err := net.Listen("tcp", loopback(port))
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { thief.Close() })
	}))
	if err != nil {
		t.Fatal(err)
	}
	if lost == 0 || taken[0] == lost {
		t.Errorf("lost port %d, then took %d", lost, taken[0])
	}
}

func TestServerThatEndsNamesItsLog(t *testing.T) {
	c := testChildren(claimed(t))
	defer c.stop()
	s := testServer(nil)
	s.args = func([]int) []string { return []string{"not an address", ""} }
	_, _, err := c.start(context.Background(), s)
	if err == nil || !strings.Contains(err.Error(), c.at.path("east", "server.log")) {
		t.Errorf("got %v", err)
	}
}

func TestChildrenDieWithAKilledSupervisor(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ties a child's life to its parent's")
	}
	dir := t.TempDir()
	supervisor := exec.Command(os.Args[0], dir)
	supervisor.Env = append(os.Environ(), "LAB_TEST_ROLE=supervisor")
	out, err := supervisor.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := supervisor.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, started, _ := strings.Cut(strings.TrimSpace(line), " ")
	number, _ := strconv.Atoi(pid)
	child := identity{number, started}
	if !child.alive() {
		t.Fatalf("child %v does not run", child)
	}
	at, _ := openLayout(dir)
	if lock, err := at.claim(func(string) {}); err == nil {
		lock.Close()
		t.Error("a folder in use was claimed")
	}
	supervisor.Process.Kill()
	supervisor.Wait()
	if !child.gone(5 * time.Second) {
		child.signal(syscall.SIGKILL)
		t.Error("the child outlived its supervisor")
	}
	lock, err := at.claim(func(string) {})
	if err != nil {
		t.Fatalf("the folder of a killed lab cannot be claimed: %v", err)
	}
	lock.Close()
}

func TestOnlyRecordedProcessesAreEnded(t *testing.T) {
	at := claimed(t)
	mine, other := exec.Command("sleep", "60"), exec.Command("sleep", "60")
	for _, cmd := range []*exec.Cmd{mine, other} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go cmd.Wait()
		defer cmd.Process.Kill()
	}
	bystander := identify(other.Process.Pid)
	old := processes{Children: map[string]identity{
		"east/etcd": identify(mine.Process.Pid),
		// The pid of a dead server that now belongs to somebody else.
		"east/kwok": {bystander.PID, "an earlier time"},
	}}
	if err := at.writeJSON(processesFile, old); err != nil {
		t.Fatal(err)
	}
	read, err := at.processes()
	if err != nil {
		t.Fatal(err)
	}
	if n := read.kill(); n != 1 {
		t.Errorf("ended %d processes, not 1", n)
	}
	if read.Children["east/etcd"].alive() || !bystander.alive() {
		t.Error("the recorded one must end, the bystander must not")
	}
}

func TestFoldersOfOthersAreRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/thesis.txt", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	at, _ := openLayout(dir)
	if _, err := at.claim(func(string) {}); err == nil || !strings.Contains(err.Error(), "not a lab's folder") {
		t.Errorf("got %v", err)
	}
}

func TestStaleDataIsRemoved(t *testing.T) {
	at, _ := openLayout(t.TempDir())
	if err := at.prepare(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(at.path("east", "etcd"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{labFile, "kubeconfig", "east/etcd/data"} {
		if err := os.WriteFile(at.path(name), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lock, err := at.claim(func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	for _, name := range []string{labFile, "kubeconfig", "east"} {
		if _, err := os.Stat(at.path(name)); err == nil {
			t.Errorf("%s of the earlier lab is still there", name)
		}
	}
}
