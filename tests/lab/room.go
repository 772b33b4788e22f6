package main

import (
	"fmt"
	"os"
	"path/filepath"
)

const (
	// labGrowth is what the test suite makes a lab grow by: 0.7 GB measured, most of it audit logs.
	labGrowth = 2 << 30
	// minioKeeps is what MinIO asks to be free for an object of unknown size, beside a hundredth of the
	// disk; below it every write is refused with "minimum free drive threshold", in the middle of a test.
	minioKeeps = 1 << 30
)

// enoughRoom refuses to begin where the disk would be full before the end.
func enoughRoom(folder string) error {
	for {
		_, err := os.Stat(folder)
		if err == nil {
			break
		}
		if !os.IsNotExist(err) || folder == filepath.Dir(folder) {
			return err
		}
		folder = filepath.Dir(folder)
	}
	free, total, known := room(folder)
	if !known {
		return nil
	}
	return roomError(folder, free, total)
}

func roomError(folder string, free, total uint64) error {
	need := labGrowth + minioKeeps + total/100
	if free >= need {
		return nil
	}
	const gib = 1 << 30
	return fmt.Errorf("the disk of %s has %.1f GiB free and the lab needs %.1f: its stores refuse to write to a disk that is nearly full; `cargo clean` in checkouts that are not needed gives several back",
		folder, float64(free)/gib, float64(need)/gib)
}
