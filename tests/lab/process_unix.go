//go:build unix

package main

import (
	"os"
	"syscall"
)

// tryLock takes an exclusive lock that the kernel releases when the holder dies.
func tryLock(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
