//go:build !linux

package main

import "errors"

type apart struct {
	reach, silent []int
	argv          []string
}

func runApart(apart) error            { return errors.New("network namespaces are Linux's") }
func runApartInside(_ []string) error { return errors.New("network namespaces are Linux's") }
