package main

import "syscall"

// room is what an ordinary user may still write, of what the disk can hold for one.
func room(folder string) (free, total uint64, known bool) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(folder, &disk); err != nil {
		return 0, 0, false
	}
	unit := uint64(disk.Bsize)
	return disk.Bavail * unit, (disk.Blocks - disk.Bfree + disk.Bavail) * unit, true
}
