//go:build unix && !linux

package main

// room: each Unix has a call of its own for it, and the lab is tested on Linux.
func room(string) (free, total uint64, known bool) { return 0, 0, false }
