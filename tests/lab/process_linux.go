package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// dieWithParent asks the kernel to kill the child when the thread that started it ends,
// however that happens. See spawner for why the thread is pinned.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// startTime says when a process started, in a form that also differs between boots, or ""
// if there is no such process or only its corpse.
func startTime(pid int) string {
	state, fields := stat(pid)
	if fields == nil || state == "Z" || state == "X" {
		return ""
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + "+" + fields[19]
}

// stat returns the state and the fields from it on: the name before them may contain
// spaces and parentheses, so it is cut off at the last one.
func stat(pid int) (string, []string) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", nil
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 {
		return "", nil
	}
	return fields[0], fields
}

// memory is the resident memory of a process in bytes.
func memory(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// family returns a process's children, and then theirs, and so on.
func family(pid int) []int {
	parents := map[int][]int{}
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		one, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if _, fields := stat(one); fields != nil {
			parent, _ := strconv.Atoi(fields[1])
			parents[parent] = append(parents[parent], one)
		}
	}
	all := parents[pid]
	for i := 0; i < len(all); i++ {
		all = append(all, parents[all[i]]...)
	}
	return all
}

// peakMemory is the most resident memory that a process ever had (VmHWM), in bytes, or
// since forgetPeak.
func peakMemory(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmHWM:" {
			kib, _ := strconv.ParseInt(fields[1], 10, 64)
			return kib * 1024
		}
	}
	return 0
}

func forgetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// processorTime is what a process used, and those of its children that have ended and that
// it waited for.
func processorTime(pid int) time.Duration {
	_, fields := stat(pid)
	if fields == nil {
		return 0
	}
	ticks := int64(0)
	for _, field := range fields[11:15] { // utime, stime, cutime, cstime
		n, _ := strconv.ParseInt(field, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100 // USER_HZ is 100 on every Linux that Go runs on
}

// attributes: versitygw keeps what it knows of an object in extended attributes, and says
// something obscure where the file system has none.
func attributes(folder string) error {
	file := filepath.Join(folder, ".try")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return err
	}
	defer os.Remove(file)
	err := syscall.Setxattr(file, "user.lab", []byte("1"), 0)
	if errors.Is(err, syscall.ENOTSUP) {
		return fmt.Errorf("the file system of %s has no extended attributes, which versitygw needs: choose another --dir", folder)
	}
	return err
}
