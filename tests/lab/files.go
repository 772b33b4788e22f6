package main

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// kubeconfig has one context for each site, named like it, all as the same user.
func kubeconfig(user string, sites ...*site) []byte {
	var clusters, contexts, users strings.Builder
	for _, s := range sites {
		fmt.Fprintf(&clusters, "- name: %s\n  cluster:\n    server: %s\n    certificate-authority-data: %s\n",
			s.name, s.url, base64.StdEncoding.EncodeToString(s.ca))
		fmt.Fprintf(&contexts, "- name: %s\n  context:\n    cluster: %s\n    user: %s\n", s.name, s.name, s.name)
		fmt.Fprintf(&users, "- name: %s\n  user:\n    token: %q\n", s.name, s.tokens[user])
	}
	return []byte("apiVersion: v1\nkind: Config\ncurrent-context: " + sites[0].name +
		"\nclusters:\n" + clusters.String() + "contexts:\n" + contexts.String() + "users:\n" + users.String())
}

// credentials is a file as AWS programs share it, with a profile for each store.
func credentials(stores []*store) []byte {
	var b strings.Builder
	for _, s := range stores {
		fmt.Fprintf(&b, "[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n\n", s.name, s.signer.access, s.signer.secret)
	}
	return []byte(b.String())
}

// storePrefix is where in a bucket the inventory sends the tool, and where a Velero of the
// lab looks, unless it is told otherwise.
const storePrefix = "shop/"

// sitesYAML is the inventory for the tool. Its paths are relative to its own folder.
func sitesYAML(sites []*site, stores []*store, names *nameServer) []byte {
	var b strings.Builder
	b.WriteString("apiVersion: lifeboat.dev/v1alpha1\nkind: Sites\nmetadata: { name: lab }\nspec:\n  sites:\n")
	// Where customers would go; the name server's zones lead to the first one.
	addresses := map[string]string{"east": "192.0.2.10", "west": "198.51.100.7"}
	machines := map[string]string{"east": "machine-a, east", "west": "machine-b, west", "vault": "machine-b, west", "second": "machine-c, south"}
	for _, s := range sites {
		fmt.Fprintf(&b, "    %s:\n      kubernetes: { kubeconfig: kubeconfig, context: %s }\n", s.name, s.name)
		fmt.Fprintf(&b, "      failureDomain: [lab, %s]\n      values: { front: %q, address: %s }\n", machines[s.name], s.front, addresses[s.name])
	}
	// Stores last: tests add some at the end.
	if names != nil {
		fmt.Fprintf(&b, "  dns:\n    names:\n      rfc2136: { server: %q, keyFile: %s.key }\n      zones: [%s]\n      failureDomain: [lab, machine-d, names]\n",
			loopback(names.port), namesKey, strings.Join(sortedKeys(zones), ", "))
	}
	b.WriteString("  stores:\n")
	for _, s := range stores {
		fmt.Fprintf(&b, "    %s:\n      s3: { bucket: %s, endpoint: %q, region: %s, prefix: %s, profile: %s, credentialsFile: credentials }\n",
			s.name, s.bucket, s.endpoint, s.signer.region, storePrefix, s.name)
		fmt.Fprintf(&b, "      failureDomain: [lab, %s]\n", machines[s.name])
	}
	b.WriteString("    local:\n      directory: vault-directory\n")
	return []byte(b.String())
}

// description is lab.json: what a test must know to reach every part of the lab, and to
// end single parts of it.
type description struct {
	Dir        string               `json:"dir"`
	Supervisor identity             `json:"supervisor"`
	Log        string               `json:"log"`
	Kubeconfig string               `json:"kubeconfig"`
	Credential string               `json:"credentials"`
	SitesFile  string               `json:"sitesFile"`
	Seeded     bool                 `json:"seeded"`
	Control    door                 `json:"control"` // where commands ask the supervisor for more
	Seconds    map[string]float64   `json:"seconds"` // how long each part took to start
	Sites      map[string]siteFacts `json:"sites"`
	Stores     map[string]facts     `json:"stores"`
	Names      *namesFacts          `json:"names,omitempty"`
	NoNames    string               `json:"noNames,omitempty"` // why there is no name server
}

type siteFacts struct {
	Context         string             `json:"context"`
	URL             string             `json:"url"`
	CAFile          string             `json:"caFile"`
	User            string             `json:"user"`  // of the kubeconfig, and so of the tool
	Token           string             `json:"token"` // likewise
	SupervisorUser  string             `json:"supervisorUser"`
	SupervisorToken string             `json:"supervisorToken"`
	VeleroUser      string             `json:"veleroUser"` // of a Velero server, if one runs here
	Front           string             `json:"front"`
	Etcd            string             `json:"etcd"`
	AuditLog        string             `json:"auditLog"`
	Processes       map[string]process `json:"processes"`
}

type facts struct {
	Program   string             `json:"program"`
	Endpoint  string             `json:"endpoint"`
	Bucket    string             `json:"bucket"`
	Region    string             `json:"region"`
	Profile   string             `json:"profile"`
	AccessKey string             `json:"accessKey"`
	SecretKey string             `json:"secretKey"`
	Objects   string             `json:"objects"` // where the server keeps them on disk
	AccessLog string             `json:"accessLog,omitempty"`
	Processes map[string]process `json:"processes"`
}

type process struct {
	identity
	Log string `json:"log"`
}

func describe(at layout, c *children, sites []*site, stores []*store, names *nameServer) description {
	d := description{
		Dir: at.dir, Supervisor: c.record.now.Supervisor, Log: at.path(logFile),
		Kubeconfig: at.path("kubeconfig"), Credential: at.path("credentials"), SitesFile: at.path("sites.yaml"),
		Sites: map[string]siteFacts{}, Stores: map[string]facts{},
	}
	of := func(owner string) map[string]process {
		found := map[string]process{}
		for _, made := range c.all {
			if name, ok := strings.CutPrefix(made.name, owner+"/"); ok {
				found[name] = process{made.identity, made.log} // the last attempt wins
			}
		}
		return found
	}
	for _, s := range sites {
		d.Sites[s.name] = siteFacts{
			Context: s.name, URL: s.url, CAFile: at.path(s.name, "ca.crt"), User: toolUser, Token: s.tokens[toolUser],
			SupervisorUser: supervisorUser, SupervisorToken: s.tokens[supervisorUser], VeleroUser: veleroUser, Front: s.front, Etcd: s.etcd,
			AuditLog: at.path(s.name, "audit.log"), Processes: of(s.name),
		}
	}
	for _, s := range stores {
		d.Stores[s.name] = facts{
			Program: s.program, Endpoint: s.endpoint, Bucket: s.bucket, Region: s.signer.region, Profile: s.name,
			AccessKey: s.signer.access, SecretKey: s.signer.secret, Objects: at.path(s.name, "objects"),
			AccessLog: s.log, Processes: of(s.name),
		}
	}
	if names != nil {
		d.Names = names.facts(at, of(namesOwner))
	}
	return d
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
