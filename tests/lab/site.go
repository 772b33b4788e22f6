package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Users of a site. The audit log tells them apart by these names.
const (
	toolUser       = "lifeboat-lab"   // what the generated kubeconfig logs in as
	supervisorUser = "lab-supervisor" // seeding, waiting, and the HTTP front
)

// A site is one Kubernetes control plane with simulated nodes.
type site struct {
	name   string
	subnet int // sites have different addresses, so that none is carried over unnoticed
	url    string
	etcd   string
	forget time.Duration // see upOptions
	ca     []byte
	tokens map[string]string // by user
	admin  *kube
	front  string
	velero *veleroOrder // what the last `lab velero up` asked for
}

var siteNames = []string{"east", "west"}

func newSite(name string, subnet int) *site {
	s := &site{name: name, subnet: subnet, tokens: map[string]string{}}
	for _, user := range []string{toolUser, supervisorUser, veleroUser, "lab-kwok", "system:" + controllerManager, "system:" + scheduler} {
		s.tokens[user] = secret()
	}
	return s
}

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
# One line for each request, when it is complete.
omitStages: [RequestReceived, ResponseStarted, Panic]
rules:
- level: RequestResponse
  verbs: [create, update, patch, delete, deletecollection]
- level: Metadata
`

// start brings the whole site up: when it returns, both nodes are ready for pods.
func (s *site) start(ctx context.Context, c *children, programs map[string]string) error {
	folder := c.at.path(s.name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	var err error
	if s.ca, err = writeCertificates(folder, s.name); err != nil {
		return err
	}
	var users strings.Builder
	for user, token := range s.tokens {
		group := `"system:masters"`
		if strings.HasPrefix(user, "system:") { // they have roles of their own
			group = `""`
		}
		fmt.Fprintf(&users, "%s,%s,%s,%s\n", token, user, user, group)
	}
	stages, err := os.ReadFile(filepath.Join(filepath.Dir(programs[kwok]), "stages.yaml"))
	if err != nil {
		return fmt.Errorf("kwok has no stages beside it: %w", err)
	}
	// kwok's volume stages care for one storage class, by name; the lab's is `standard`.
	const theirs, ours = "storageClassName == 'kwok-volume'", "storageClassName == 'standard'"
	if !bytes.Contains(stages, []byte(theirs)) {
		return fmt.Errorf("kwok's volume stages no longer say %q", theirs)
	}
	stages = bytes.ReplaceAll(stages, []byte(theirs), []byte(ours))
	stages = append(stages, programsOfPods()...)
	for file, text := range map[string]string{"tokens.csv": users.String(), "audit-policy.yaml": auditPolicy, "stages.yaml": string(stages)} {
		if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600); err != nil {
			return err
		}
	}
	if err := s.startEtcd(ctx, c, programs); err != nil {
		return err
	}
	if err := s.startAPI(ctx, c, programs); err != nil {
		return err
	}
	return s.startControllers(ctx, c, programs)
}

func (s *site) startEtcd(ctx context.Context, c *children, programs map[string]string) error {
	name := "lab-" + secret()
	_, taken, err := c.start(ctx, server{
		owner: s.name, name: etcd, path: programs[etcd], ports: 2, within: 30 * time.Second,
		args: func(p []int) []string {
			client, peer := "http://"+loopback(p[0]), "http://"+loopback(p[1])
			return []string{
				"--name=" + name, "--data-dir=" + c.at.path(s.name, "etcd"), "--unsafe-no-fsync", "--log-level=warn",
				"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
				"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=" + name + "=" + peer,
			}
		},
		answers: func(ctx context.Context, p []int) error { return etcdIs(ctx, "http://"+loopback(p[0]), name) },
	})
	if err == nil {
		s.etcd = "http://" + loopback(taken[0])
	}
	return err
}

// etcdIs asks an etcd for its name, which no other lab's has.
func etcdIs(ctx context.Context, url, name string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v3/cluster/member/list", strings.NewReader("{}"))
	if err != nil {
		return err
	}
	res, err := (&http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	var list struct{ Members []struct{ Name string } }
	if err := json.Unmarshal(text, &list); err != nil {
		return fmt.Errorf("answer of etcd: %w", err)
	}
	if len(list.Members) != 1 || list.Members[0].Name != name {
		return fmt.Errorf("another etcd answers at %s", url)
	}
	return nil
}

func (s *site) startAPI(ctx context.Context, c *children, programs map[string]string) error {
	in := func(file string) string { return c.at.path(s.name, file) }
	connect := func(p []int) *kube {
		return newKube("https://"+loopback(p[0]), s.tokens[supervisorUser], s.ca)
	}
	_, taken, err := c.start(ctx, server{
		owner: s.name, name: apiServer, path: programs[apiServer], ports: 1, within: 2 * time.Minute,
		args: func(p []int) []string {
			args := []string{
				"--etcd-servers=" + s.etcd,
				"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", p[0]),
				// No endpoints for the service `kubernetes`: there is no pod to use them,
				// and a loopback address is not allowed there.
				"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
				"--tls-cert-file=" + in("apiserver.crt"), "--tls-private-key-file=" + in("apiserver.key"),
				"--service-account-key-file=" + in("accounts.key"), "--service-account-signing-key-file=" + in("accounts.key"),
				"--service-account-issuer=https://kubernetes.default.svc",
				"--token-auth-file=" + in("tokens.csv"), "--authorization-mode=RBAC",
				fmt.Sprintf("--service-cluster-ip-range=10.%d.0.0/16", s.subnet), "--allow-privileged=true",
				"--audit-policy-file=" + in("audit-policy.yaml"), "--audit-log-path=" + in("audit.log"),
				// Written before the next request is read, never rotated, never shortened.
				"--audit-log-mode=blocking", "--audit-log-maxsize=0", "--audit-log-truncate-enabled=false",
				"--profiling=false", "--kubelet-preferred-address-types=InternalIP",
			}
			if s.forget > 0 {
				args = append(args, "--etcd-compaction-interval="+s.forget.String())
			}
			return args
		},
		answers: func(ctx context.Context, p []int) error { return connect(p).ready(ctx) },
	})
	if err == nil {
		s.url, s.admin = "https://"+loopback(taken[0]), connect(taken)
	}
	return err
}

func (s *site) startControllers(ctx context.Context, c *children, programs map[string]string) error {
	if err := s.makeNodes(ctx); err != nil {
		return err
	}
	login := func(name, user string) (string, error) {
		file := c.at.path(s.name, name+".kubeconfig")
		return file, os.WriteFile(file, kubeconfig(user, s), 0o600)
	}
	serving := func(name, user string, ports int, args func(p []int) []string) error {
		file, err := login(name, user)
		if err != nil {
			return err
		}
		_, _, err = c.start(ctx, server{
			owner: s.name, name: name, path: programs[name], ports: ports, within: time.Minute,
			args:    func(p []int) []string { return append(args(p), "--kubeconfig="+file) },
			answers: func(context.Context, []int) error { return nil }, // by their work, below
		})
		return err
	}
	simple := func(name, user string, args ...string) error {
		return serving(name, user, 0, func([]int) []string { return args })
	}
	if err := simple(controllerManager, "system:"+controllerManager, "--leader-elect=false", "--secure-port=0",
		"--use-service-account-credentials=true", "--service-account-private-key-file="+c.at.path(s.name, "accounts.key"),
		"--root-ca-file="+c.at.path(s.name, "ca.crt"), "--profiling=false",
		// It makes this folder when it is missing, by default in /usr/libexec.
		"--flex-volume-plugin-dir="+c.at.path(s.name, "home", "flexvolume"),
		// Its 40 controllers log in one after the other; the default limit of 20 requests
		// a second is most of the time that a site takes to start.
		"--kube-api-qps=500", "--kube-api-burst=1000"); err != nil {
		return err
	}
	if err := simple(scheduler, "system:"+scheduler, "--leader-elect=false", "--secure-port=0",
		"--kube-api-qps=500", "--kube-api-burst=1000"); err != nil {
		return err
	}
	if err := serving(kwok, "lab-kwok", 1, func(p []int) []string {
		return []string{"--config=" + c.at.path(s.name, "stages.yaml"), "--manage-all-nodes=true",
			"--node-lease-duration-seconds=40", "--node-ip=127.0.0.1", fmt.Sprintf("--cidr=10.%d.0.0/16", s.subnet+1),
			// Where the API server finds the nodes' kubelets: for commands in pods.
			fmt.Sprintf("--node-port=%d", p[0]), "--server-address=" + loopback(p[0]),
			"--tls-cert-file=" + c.at.path(s.name, "apiserver.crt"), "--tls-private-key-file=" + c.at.path(s.name, "apiserver.key")}
	}); err != nil {
		return err
	}
	what := fmt.Sprintf("nodes and service accounts of %s (logs of kwok and %s in %s)", s.name, controllerManager, c.at.path(s.name))
	return until(ctx, time.Minute, what, s.works)
}
