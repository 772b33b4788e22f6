//go:build unix && !linux

package main

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// dieWithParent: only Linux can tie a child's life to its parent's. Elsewhere the children
// of a killed supervisor live on until the next `up` or `down` finds them recorded.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

func startTime(pid int) string {
	return ps(pid, "lstart=")
}

func memory(pid int) int64 {
	kib, _ := strconv.ParseInt(ps(pid, "rss="), 10, 64)
	return kib * 1024
}

func ps(pid int, column string) string {
	out, err := exec.Command("ps", "-o", column, "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// What a peer uses is measured on Linux only; elsewhere it reads 0, which means unknown.
func family(int) []int                { return nil }
func peakMemory(int) int64            { return 0 }
func forgetPeak(int) error            { return nil }
func processorTime(int) time.Duration { return 0 }

// attributes: every file system of these has them.
func attributes(string) error { return nil }
