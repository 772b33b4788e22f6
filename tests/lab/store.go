package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// A store is one S3 server with one bucket.
type store struct {
	name     string
	program  string
	bucket   string
	endpoint string
	log      string // the server's own record of requests, where it keeps one
	signer   signer
}

func newStore(name, program string) *store {
	return &store{name: name, program: program, bucket: "acme-vault",
		signer: signer{access: "lab-" + name, secret: secret(), region: "us-east-1"}}
}

func (s *store) start(ctx context.Context, c *children, programs map[string]string) error {
	objects, versions := c.at.path(s.name, "objects"), c.at.path(s.name, "versions")
	for _, folder := range []string{objects, versions} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
	}
	made := server{
		owner: s.name, name: s.program, path: programs[s.program], ports: 1, within: 30 * time.Second,
		answers: func(ctx context.Context, p []int) error { return s.signer.try(ctx, "http://"+loopback(p[0]), s.bucket) },
	}
	switch s.program {
	case versitygw:
		s.log = c.at.path(s.name, "access.log")
		if err := attributes(objects); err != nil {
			return err
		}
		made.env = []string{"ROOT_ACCESS_KEY=" + s.signer.access, "ROOT_SECRET_KEY=" + s.signer.secret}
		made.args = func(p []int) []string {
			return []string{"--port=" + loopback(p[0]), "--region=" + s.signer.region, "--access-log=" + s.log, "--quiet",
				"posix", "--versioning-dir=" + versions, objects}
		}
	case minio:
		made.env = []string{
			"MINIO_ROOT_USER=" + s.signer.access, "MINIO_ROOT_PASSWORD=" + s.signer.secret, "MINIO_REGION=" + s.signer.region,
			"MINIO_BROWSER=off", // no second port
			"MINIO_UPDATE=off",  // nothing leaves this machine
		}
		made.args = func(p []int) []string {
			return []string{"server", "--address=" + loopback(p[0]), "--certs-dir=" + c.at.path(s.name, "home", "certs"), objects}
		}
	default:
		return fmt.Errorf("no way to start %s", s.program)
	}
	_, taken, err := c.start(ctx, made)
	if err == nil {
		s.endpoint = "http://" + loopback(taken[0])
	}
	return err
}
