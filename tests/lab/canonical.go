package main

import (
	"maps"
	"slices"
	"strings"
)

// The kinds that a site makes by itself, so that no comparison of two sites can be about
// them. The reason is what `--json` counts them under.
var siteOwn = map[string]string{
	"Node": "machine", "CSINode.storage.k8s.io": "machine", "VolumeAttachment.storage.k8s.io": "machine",
	"CSIStorageCapacity.storage.k8s.io": "machine", "ResourceSlice.resource.k8s.io": "machine",
	"Event": "event", "Event.events.k8s.io": "event",
	"Lease.coordination.k8s.io": "lease", "LeaseCandidate.coordination.k8s.io": "lease",
	"ComponentStatus": "control plane", "StorageVersion.internal.apiserver.k8s.io": "control plane",
	"CertificateSigningRequest.certificates.k8s.io": "control plane", "ClusterTrustBundle.certificates.k8s.io": "control plane",
	"IPAddress.networking.k8s.io": "address", "ServiceCIDR.networking.k8s.io": "address",
}

// The namespaces of the control plane itself and of a Velero of the lab.
var siteSpaces = []string{"kube-system", "kube-public", "kube-node-lease", veleroSpace}

// An index knows the objects of one site by what may refer to them.
type index struct {
	byUID   map[string]whom
	selects map[string]bool // Services that choose their pods, as namespace/name
}

type whom struct{ kind, namespace, name string }

func newIndex(all []listed) index {
	x := index{map[string]whom{}, map[string]bool{}}
	for _, one := range all {
		if uid := text(one.head(), "uid"); uid != "" {
			x.byUID[uid] = whom{one.kind.name, one.namespace(), one.name()}
		}
		if one.kind.name == "Service" && inside(one.body, "spec")["selector"] != nil {
			x.selects[one.namespace()+"/"+one.name()] = true
		}
	}
	return x
}

// The controllers of Kubernetes that make children, and of what kind.
var makers = map[string][]string{
	"ReplicaSet.apps":         {"Deployment.apps"},
	"ControllerRevision.apps": {"DaemonSet.apps", "StatefulSet.apps"},
	"Job.batch":               {"CronJob.batch"},
	"Pod":                     {"ReplicaSet.apps", "DaemonSet.apps", "StatefulSet.apps", "Job.batch", "ReplicationController"},
}

// ownOf says why an object is the site's own, or "" if it is somebody's.
func ownOf(one listed, x index) string {
	if reason := siteOwn[one.kind.name]; reason != "" {
		return reason
	}
	name, head := one.name(), one.head()
	labels, notes := inside(head, "labels"), inside(head, "annotations")
	switch one.kind.name {
	case "ConfigMap":
		if name == "kube-root-ca.crt" {
			return "certificate of the site"
		}
	case "Service", "Endpoints":
		if one.namespace() == "default" && name == "kubernetes" {
			return "control plane"
		}
		if one.kind.name == "Endpoints" && x.selects[one.namespace()+"/"+name] {
			return "made by a controller"
		}
	case "EndpointSlice.discovery.k8s.io":
		if strings.HasSuffix(text(labels, "endpointslice.kubernetes.io/managed-by"), "-controller.k8s.io") ||
			one.namespace() == "default" && name == "kubernetes" {
			return "made by a controller"
		}
	case "Secret":
		// Before Kubernetes 1.24 each account got one of these, with a random name.
		account := text(notes, "kubernetes.io/service-account.name")
		if rest, ok := strings.CutPrefix(name, account+"-token-"); ok && account != "" && len(rest) == 5 {
			return "token of an account"
		}
	case "PersistentVolume":
		if text(notes, "pv.kubernetes.io/provisioned-by") != "" {
			return "made by a controller"
		}
	case "APIService.apiregistration.k8s.io":
		if text(labels, "kube-aggregator.kubernetes.io/automanaged") != "" {
			return "control plane"
		}
	}
	if strings.HasSuffix(one.kind.name, ".velero.io") || strings.HasSuffix(name, ".velero.io") && strings.HasPrefix(one.kind.name, "CustomResourceDefinition.") {
		return "velero"
	}
	if generated(one, x) {
		return "made by a controller"
	}
	return ""
}

// generated: its controller is there and makes such children. A child whose owner is gone,
// or that lost the reference to it, is nobody's and is compared.
func generated(one listed, x index) bool {
	for _, o := range list(one.head(), "ownerReferences") {
		owner, ok := x.byUID[text(o, "uid")]
		if ok && o["controller"] == true && slices.Contains(makers[one.kind.name], owner.kind) {
			return true
		}
	}
	return false
}

// list reads an array of objects.
func list(object map[string]any, key string) []map[string]any {
	items, _ := object[key].([]any)
	var all []map[string]any
	for _, item := range items {
		if one, ok := item.(map[string]any); ok {
			all = append(all, one)
		}
	}
	return all
}

// Metadata that a cluster assigns.
var assigned = []string{"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "deletionGracePeriodSeconds"}

// Labels and annotations by which controllers keep books, on any kind.
var books = []string{
	"deployment.kubernetes.io/revision",
	"pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller",
	"volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/selected-node",
	"kubernetes.io/service-account.uid",
	"controller-uid", "batch.kubernetes.io/controller-uid",
}

// added: what a tool that restores writes on what it restored.
func added(key string) bool {
	return key == "velero.io/backup-name" || key == "velero.io/restore-name" || strings.HasPrefix(key, "lifeboat.dev/")
}

// canonical is an object without what the cluster assigned, so that two sites can be
// compared. It changes the object that it is given.
func canonical(one listed, x index, o compareOptions) map[string]any {
	head, spec := one.head(), inside(one.body, "spec")
	for _, key := range assigned {
		delete(head, key)
	}
	if head["deletionTimestamp"] != nil { // when is the cluster's, that is not
		head["deletionTimestamp"] = "being deleted"
	}
	withoutBooks(head)
	if !o.status(one.kind) {
		delete(one.body, "status")
	}
	if finalizers, ok := head["finalizers"].([]any); ok { // a set
		slices.SortFunc(finalizers, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	}
	if owners := list(head, "ownerReferences"); len(owners) > 0 {
		delete(head, "ownerReferences")
		if o.owners != ownersIgnored {
			head["ownerReferences"] = resolved(owners, one.namespace(), x, o.owners)
		}
	}
	delete(one.body, "apiVersion") // the version the server prefers; the group is in the kind
	delete(one.body, "kind")
	switch one.kind.name {
	case "Namespace":
		without(inside(head, "labels"), "kubernetes.io/metadata.name")
	case "Service":
		withoutAddresses(spec)
	case "PersistentVolumeClaim":
		delete(spec, "volumeName")
	case "PersistentVolume":
		without(inside(spec, "claimRef"), "uid", "resourceVersion")
	case "Secret":
		if text(one.body, "type") == "kubernetes.io/service-account-token" {
			without(inside(one.body, "data"), "token", "ca.crt", "namespace")
		}
	case "ServiceAccount":
		withoutTokens(one.body, one.name())
	case "Job.batch":
		withoutBooks(inside(inside(spec, "template"), "metadata"))
		if spec["manualSelector"] != true {
			delete(spec, "selector")
		}
	case "Pod":
		withoutPlace(spec)
	}
	for key, inner := range head { // an emptied map is no map
		if m, ok := inner.(map[string]any); ok && len(m) == 0 {
			delete(head, key)
		}
	}
	return one.body
}

// bare: the account that each namespace gets, and that nobody has changed.
func bare(one listed) bool {
	return one.kind.name == "ServiceAccount" && one.name() == "default" && len(one.body) == 1 && len(one.head()) == 2
}

func without(object map[string]any, keys ...string) {
	for _, key := range keys {
		delete(object, key)
	}
}

func withoutBooks(head map[string]any) {
	for _, part := range []string{"labels", "annotations"} {
		inner := inside(head, part)
		without(inner, books...)
		maps.DeleteFunc(inner, func(key string, _ any) bool { return added(key) })
	}
}

// withoutAddresses: a headless Service says None, which is its owner's word.
func withoutAddresses(spec map[string]any) {
	if text(spec, "clusterIP") != "None" {
		without(spec, "clusterIP", "clusterIPs")
	}
	delete(spec, "healthCheckNodePort")
	for _, port := range list(spec, "ports") {
		delete(port, "nodePort")
	}
}

func withoutTokens(account map[string]any, name string) {
	kept := []any{}
	for _, secret := range list(account, "secrets") {
		if !strings.HasPrefix(text(secret, "name"), name+"-token-") {
			kept = append(kept, secret)
		}
	}
	delete(account, "secrets")
	if len(kept) > 0 {
		account["secrets"] = kept
	}
}

// withoutPlace takes away where a pod runs, and the token that it got there.
func withoutPlace(spec map[string]any) {
	without(spec, "nodeName", "serviceAccount", "priority")
	token := func(item any) bool {
		one, _ := item.(map[string]any)
		return strings.HasPrefix(text(one, "name"), "kube-api-access-")
	}
	drop := func(object map[string]any, key string) {
		items, _ := object[key].([]any)
		if items = slices.DeleteFunc(items, token); len(items) > 0 {
			object[key] = items
		} else {
			delete(object, key)
		}
	}
	drop(spec, "volumes")
	for _, group := range []string{"initContainers", "containers"} {
		for _, container := range list(spec, group) {
			drop(container, "volumeMounts")
		}
	}
}

// How owner references are compared.
const (
	ownersResolved = "resolved" // the object that has the uid must be there, and be the named one
	ownersByName   = "by-name"  // the uid is not looked at
	ownersIgnored  = "ignore"
)

// resolved says of each owner who it is, instead of its uid, in a fixed order.
func resolved(owners []map[string]any, namespace string, x index, how string) []any {
	for _, o := range owners {
		group, _, grouped := strings.Cut(text(o, "apiVersion"), "/")
		named := text(o, "kind")
		if grouped {
			named += "." + group
		}
		said := named + "/" + text(o, "name")
		owner, found := x.byUID[text(o, "uid")]
		switch is := owner.kind + "/" + owner.name; {
		case how == ownersByName:
		case !found:
			said = "nobody, said to be " + said
		case is != said || owner.namespace != "" && owner.namespace != namespace:
			said = owner.namespace + "/" + is + ", said to be " + said
		}
		without(o, "uid", "apiVersion", "kind", "name")
		o["owner"] = said
	}
	slices.SortFunc(owners, func(a, b map[string]any) int { return strings.Compare(text(a, "owner"), text(b, "owner")) })
	all := []any{}
	for _, o := range owners {
		all = append(all, o)
	}
	return all
}

// moved rewrites an object of the left site to the namespace that the map says, and the
// references in it that name a namespace.
func moved(one listed, to pairs) {
	rename := func(object map[string]any, key string) {
		if other, ok := to[text(object, key)]; ok {
			object[key] = other
		}
	}
	rename(one.head(), "namespace")
	switch one.kind.name {
	case "Namespace":
		rename(one.head(), "name")
	case "RoleBinding.rbac.authorization.k8s.io", "ClusterRoleBinding.rbac.authorization.k8s.io":
		for _, subject := range list(one.body, "subjects") {
			rename(subject, "namespace")
		}
	case "PersistentVolume":
		rename(inside(inside(one.body, "spec"), "claimRef"), "namespace")
	case "ValidatingWebhookConfiguration.admissionregistration.k8s.io", "MutatingWebhookConfiguration.admissionregistration.k8s.io":
		for _, hook := range list(one.body, "webhooks") {
			rename(inside(inside(hook, "clientConfig"), "service"), "namespace")
		}
	case "APIService.apiregistration.k8s.io":
		rename(inside(inside(one.body, "spec"), "service"), "namespace")
	}
}
