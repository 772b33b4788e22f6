package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestWhatAKeptServerStartedEndsWithItsKeeper(t *testing.T) {
	keeper := exec.Command(os.Args[0], "sh", "-c", "sleep 60 & echo $!; wait")
	keeper.Env = append(os.Environ(), "LAB_TEST_ROLE=keeper")
	hold, err := keeper.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := keeper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := keeper.Start(); err != nil {
		t.Fatal(err)
	}
	defer keeper.Process.Kill()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(line))
	grandchild := identify(pid)
	if !grandchild.alive() {
		t.Fatal("the grandchild does not run")
	}
	if runtime.GOOS == "linux" && !slices.Contains(family(keeper.Process.Pid), pid) {
		t.Errorf("%d is not in the family %v", pid, family(keeper.Process.Pid))
	}
	hold.Close()
	if !grandchild.gone(5 * time.Second) {
		grandchild.signal(9)
		t.Error("the grandchild outlived its keeper's input")
	}
}

func TestPeakMemoryIsThatOfTheWorkAndNotOfItsPast(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("measured on Linux only")
	}
	pid := os.Getpid()
	peakMemory(pid)
	if err := forgetPeak(pid); err != nil {
		t.Fatal(err)
	}
	before := peakMemory(pid)
	block := bytes.Repeat([]byte{1}, 64<<20)
	if grown := peakMemory(pid) - before; grown < 60<<20 {
		t.Errorf("64 MiB were taken and the peak rose by %d bytes", grown)
	}
	runtime.KeepAlive(block)
}

func TestRequestsAreCountedByUser(t *testing.T) {
	log := `{"verb":"get","user":{"username":"lab-velero"}}
{"verb":"get","user":{"username":"lab-velero-2"}}
{"verb":"create","user":{"username":"lab-supervisor"},"requestObject":{"metadata":{"labels":{"by":"lab-velero"}}}}
{"verb":"watch","user":{"username":"lab-velero"}}
{"verb":"get","user":{"username":"lab-ve`
	if n, err := requestsOf(strings.NewReader(log), veleroUser); n != 2 || err != nil {
		t.Errorf("counted %d, %v", n, err)
	}
}

func TestVelerosMessagesAreInAFixedOrder(t *testing.T) {
	var packed bytes.Buffer
	pack := gzip.NewWriter(&packed)
	pack.Write([]byte(`{"errors":{"namespaces":{"b":["two"],"a":["one"]}},"warnings":{"cluster":["three"]}}`))
	pack.Close()
	lines, err := readResults(packed.Bytes())
	if want := "error a: one|error b: two|warning cluster: three"; strings.Join(lines, "|") != want || err != nil {
		t.Errorf("got %q, %v", lines, err)
	}
}

func TestOnlyPhasesThatNothingFollowsAreAnEnd(t *testing.T) {
	for phase, ended := range map[string]bool{
		"": false, "New": false, "Queued": false, "InProgress": false, "WaitingForPluginOperations": false,
		"Finalizing": false, "FinalizingPartiallyFailed": false,
		"Completed": true, "PartiallyFailed": true, "Failed": true, "FailedValidation": true,
	} {
		if (veleroStatus{Phase: phase}).ended() != ended {
			t.Errorf("%q", phase)
		}
	}
}
