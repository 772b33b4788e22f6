package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

// runKeep runs a program that starts programs of its own, and ends all of them as soon as
// standard input closes, which happens however the supervisor ends. Without it, the plugin
// processes of a Velero whose supervisor was killed would live on.
func runKeep(args []string) error {
	if len(args) == 0 {
		return errors.New("keep is for the supervisor alone")
	}
	runtime.LockOSThread() // the child's life is tied to this thread
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = dieWithParent() // and a process group of its own, for its children
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	if err := cmd.Start(); err != nil {
		return err
	}
	group := -cmd.Process.Pid
	go func() {
		io.Copy(io.Discard, os.Stdin)
		syscall.Kill(group, syscall.SIGKILL)
	}()
	err := cmd.Wait()
	syscall.Kill(group, syscall.SIGKILL) // it ended by itself: its children go with it
	return err
}
