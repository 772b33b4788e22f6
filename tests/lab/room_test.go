package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestALabDoesNotBeginOnADiskThatWouldBeFull(t *testing.T) {
	const gib = 1 << 30
	if err := roomError("/lab", 10*gib, 100*gib); err != nil {
		t.Fatal(err)
	}
	err := roomError("/lab", 2*gib, 100*gib)
	if err == nil || !strings.Contains(err.Error(), "has 2.0 GiB free and the lab needs 4.0") {
		t.Fatalf("got %v", err)
	}
	// A folder that is not there yet is on the disk of the one above it.
	if err := enoughRoom(filepath.Join(t.TempDir(), "a", "b")); err != nil && !strings.Contains(err.Error(), "GiB free") {
		t.Fatal(err)
	}
}
