package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A nameServer is a real BIND, the primary of a few zones on loopback. The lab has none
// where the machine has no Debian packages; lab.json says why.
type nameServer struct {
	bundle bundle
	port   int
	token  string            // in a record, so that another lab's server is not taken for this one
	keys   map[string]string // TSIG keys by name: what they hold
}

const (
	namesOwner = "names"
	namesKey   = "lifeboat-lab" // what the tool is given
	strangeKey = "stranger"     // known to the server, and let in nowhere
)

// What may be changed in a zone, in BIND's words.
var zones = map[string]string{
	"acme.example":   "allow-update { key " + namesKey + "; };",
	"narrow.example": "update-policy { grant " + namesKey + " name shop.narrow.example A AAAA CNAME; };",
	"fixed.example":  "allow-update { none; };",
}

func newNameServer(b bundle) *nameServer {
	key := func() string {
		bytes := make([]byte, 32)
		rand.Read(bytes) // never fails
		return base64.StdEncoding.EncodeToString(bytes)
	}
	return &nameServer{bundle: b, token: secret(), keys: map[string]string{namesKey: key(), strangeKey: key()}}
}

func (n *nameServer) start(ctx context.Context, c *children) error {
	folder := c.at.path(namesOwner)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for name := range n.keys {
		if err := c.at.write(name+".key", n.keyFile(name)); err != nil {
			return err
		}
	}
	for zone := range zones {
		if err := os.WriteFile(filepath.Join(folder, zone+".zone"), n.zoneFile(zone), 0o600); err != nil {
			return err
		}
	}
	_, taken, err := c.start(ctx, server{
		owner: namesOwner, name: "named", path: n.bundle.path("usr/sbin/named"), ports: 1, within: 30 * time.Second,
		env: []string{n.bundle.environment()},
		args: func(p []int) []string {
			file := filepath.Join(folder, fmt.Sprintf("named-%d.conf", p[0]))
			os.WriteFile(file, n.config(folder, p[0]), 0o600) // named says what it misses
			return []string{"-f", "-4", "-c", file}
		},
		answers: n.isOurs,
	})
	if err == nil {
		n.port = taken[0]
	}
	return err
}

func (n *nameServer) keyFile(name string) []byte {
	return fmt.Appendf(nil, "key %q {\n\talgorithm hmac-sha256;\n\tsecret %q;\n};\n", name, n.keys[name])
}

func (n *nameServer) zoneFile(zone string) []byte {
	return fmt.Appendf(nil, "$ORIGIN %s.\n$TTL 60\n@ IN SOA ns admin 1 3600 600 86400 30\n@ IN NS ns\nns IN A 127.0.0.1\n"+
		"lab IN TXT %q\nshop 300 IN A 192.0.2.10\ntexted 300 IN A 192.0.2.10\ntexted IN TXT \"more\"\n*.wild IN A 192.0.2.99\nchild IN NS ns.elsewhere.example.\n", zone, n.token)
}

// config listens on loopback alone, asks nobody else, and logs every update and query:
// what a test reads to know what the server was really asked.
func (n *nameServer) config(folder string, port int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `options {
	directory %q;
	listen-on port %d { 127.0.0.1; };
	listen-on-v6 { none; };
	pid-file none;
	session-keyfile none;
	lock-file none;
	recursion no;
	notify no;
	dnssec-validation no;
	allow-transfer { none; };
	querylog yes;
};
controls { };
logging {
	channel updates { file "updates.log"; severity info; print-time iso8601; print-category yes; };
	channel queries { file "queries.log"; severity info; print-time iso8601; };
	category update { updates; };
	category update-security { updates; };
	category queries { queries; };
};
`, folder, port)
	for name := range n.keys {
		b.Write(n.keyFile(name))
	}
	for zone, policy := range zones {
		fmt.Fprintf(&b, "zone %q { type primary; file \"%s.zone\"; %s };\n", zone, zone, policy)
	}
	// A secondary does not take changes; it need not have got its copy for that.
	fmt.Fprintf(&b, "zone \"copy.example\" { type secondary; file \"copy.zone\"; primaries { 127.0.0.1 port 1; }; };\n")
	return []byte(b.String())
}

func (n *nameServer) isOurs(ctx context.Context, p []int) error {
	cmd := exec.CommandContext(ctx, n.bundle.path("usr/bin/dig"), "@127.0.0.1", "-p", fmt.Sprint(p[0]), "+tcp", "+tries=1", "+time=2", "+short", "lab.acme.example", "TXT")
	cmd.Env = []string{n.bundle.environment(), "HOME=" + os.TempDir()}
	said, err := cmd.Output()
	if err != nil {
		return err
	}
	if !strings.Contains(string(said), n.token) {
		return fmt.Errorf("another name server answers at port %d", p[0])
	}
	return nil
}

// namesFacts is what lab.json says of the name server.
type namesFacts struct {
	Address     string             `json:"address"`
	Zones       []string           `json:"zones"`
	Key         string             `json:"key"`         // the file of the key that may change things
	StrangeKey  string             `json:"strangeKey"`  // the file of one that may not
	Updates     string             `json:"updates"`     // the server's log of what it was asked to change
	Queries     string             `json:"queries"`     // and of what it was asked
	Dig         string             `json:"dig"`         // programs of the same packages
	Nsupdate    string             `json:"nsupdate"`    //
	Environment string             `json:"environment"` // what those have to be run with
	Processes   map[string]process `json:"processes"`
}

func (n *nameServer) facts(at layout, processes map[string]process) *namesFacts {
	return &namesFacts{
		Address: loopback(n.port), Zones: sortedKeys(zones),
		Key: at.path(namesKey + ".key"), StrangeKey: at.path(strangeKey + ".key"),
		Updates: at.path(namesOwner, "updates.log"), Queries: at.path(namesOwner, "queries.log"),
		Dig: n.bundle.path("usr/bin/dig"), Nsupdate: n.bundle.path("usr/bin/nsupdate"), Environment: n.bundle.environment(),
		Processes: processes,
	}
}
