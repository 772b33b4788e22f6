package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// A small site, in the words of an API server: one of everything that something is taken
// away from before it is compared.
const smallSite = `
Namespace|{"metadata":{"name":"shop","uid":"n","labels":{"kubernetes.io/metadata.name":"shop","team":"commerce"}},"spec":{"finalizers":["kubernetes"]},"status":{"phase":"Active"}}
ConfigMap|{"metadata":{"name":"settings","namespace":"shop","uid":"c1","resourceVersion":"7","creationTimestamp":"2026-01-01T00:00:00Z","managedFields":[{"manager":"a"}]},"data":{"a":"1"},"binaryData":{"b":"AA=="}}
ConfigMap|{"metadata":{"name":"cache","namespace":"shop","uid":"c2","ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"settings","uid":"c1","controller":false}],"finalizers":["x/y","a/b"]}}
ConfigMap|{"metadata":{"name":"kube-root-ca.crt","namespace":"shop","uid":"c3"},"data":{"ca.crt":"east"}}
ServiceAccount|{"metadata":{"name":"default","namespace":"shop","uid":"a1"}}
ServiceAccount|{"metadata":{"name":"web","namespace":"shop","uid":"a2"},"secrets":[{"name":"web-token-abcde"},{"name":"mine"}]}
Secret|{"metadata":{"name":"web-token-abcde","namespace":"shop","annotations":{"kubernetes.io/service-account.name":"web"}},"type":"kubernetes.io/service-account-token","data":{"token":"ZQ=="}}
Secret|{"metadata":{"name":"robot","namespace":"shop","annotations":{"kubernetes.io/service-account.name":"web","kubernetes.io/service-account.uid":"a2"}},"type":"kubernetes.io/service-account-token","data":{"token":"ZQ==","extra":"eA=="}}
Secret|{"metadata":{"name":"db","namespace":"shop"},"type":"Opaque","data":{"password":"c2VjcmV0"}}
Deployment.apps|{"metadata":{"name":"web","namespace":"shop","uid":"d","generation":3,"annotations":{"deployment.kubernetes.io/revision":"3"}},"spec":{"replicas":3},"status":{"readyReplicas":3}}
ReplicaSet.apps|{"metadata":{"name":"web-1","namespace":"shop","uid":"r","ownerReferences":[{"apiVersion":"apps/v1","kind":"Deployment","name":"web","uid":"d","controller":true}]},"spec":{"replicas":3}}
Service|{"metadata":{"name":"web","namespace":"shop","uid":"s"},"spec":{"type":"NodePort","clusterIP":"10.10.0.5","clusterIPs":["10.10.0.5"],"selector":{"app":"web"},"ports":[{"port":80,"nodePort":30001}]}}
Endpoints|{"metadata":{"name":"web","namespace":"shop"},"subsets":[{"addresses":[{"ip":"10.11.0.9"}]}]}
Endpoints|{"metadata":{"name":"outside","namespace":"shop"},"subsets":[{"addresses":[{"ip":"192.0.2.1"}]}]}
EndpointSlice.discovery.k8s.io|{"metadata":{"name":"web-abcde","namespace":"shop","labels":{"endpointslice.kubernetes.io/managed-by":"endpointslice-controller.k8s.io"}},"endpoints":[]}
Service|{"metadata":{"name":"headless","namespace":"shop"},"spec":{"clusterIP":"None","clusterIPs":["None"],"ports":[{"port":80}]}}
PersistentVolumeClaim|{"metadata":{"name":"data","namespace":"shop","annotations":{"pv.kubernetes.io/bind-completed":"yes","mine":"kept"}},"spec":{"volumeName":"pvc-1","storageClassName":"standard"},"status":{"phase":"Bound"}}
PersistentVolume|{"metadata":{"name":"pvc-1","annotations":{"pv.kubernetes.io/provisioned-by":"kwok"}},"spec":{}}
PersistentVolume|{"metadata":{"name":"tape"},"spec":{"claimRef":{"namespace":"shop","name":"data","uid":"p","resourceVersion":"9"},"hostPath":{"path":"/tape"}}}
Job.batch|{"metadata":{"name":"once","namespace":"shop","labels":{"batch.kubernetes.io/controller-uid":"j","job":"once"}},"spec":{"selector":{"matchLabels":{"batch.kubernetes.io/controller-uid":"j"}},"template":{"metadata":{"labels":{"controller-uid":"j","app":"once"}}}}}
Pod|{"metadata":{"name":"alone","namespace":"shop"},"spec":{"nodeName":"east-node-1","volumes":[{"name":"kube-api-access-x1"},{"name":"data"}],"containers":[{"name":"a","image":"a:1","volumeMounts":[{"name":"kube-api-access-x1"}]}]}}
RoleBinding.rbac.authorization.k8s.io|{"metadata":{"name":"web","namespace":"shop"},"subjects":[{"kind":"ServiceAccount","name":"web","namespace":"shop"}],"roleRef":{"name":"web"}}
Coupon.shop.example.com|{"metadata":{"name":"spring","namespace":"shop"},"spec":{"percent":10},"status":{"redeemed":9007199254740993}}
Lease.coordination.k8s.io|{"metadata":{"name":"lock","namespace":"shop"},"spec":{"renewTime":"now"}}
Node|{"metadata":{"name":"east-node-1"}}
StorageClass.storage.k8s.io|{"metadata":{"name":"standard"},"provisioner":"kwok"}
ConfigMap|{"metadata":{"name":"settings","namespace":"kube-system"},"data":{"a":"1"}}
ConfigMap|{"metadata":{"name":"settings","namespace":"velero"},"data":{"a":"1"}}
Backup.velero.io|{"metadata":{"name":"b","namespace":"other"}}
`

func siteOf(t *testing.T, lines string) []listed {
	t.Helper()
	var all []listed
	for line := range strings.Lines(strings.TrimSpace(lines)) {
		name, body, _ := strings.Cut(line, "|")
		plural, group, grouped := strings.Cut(strings.ToLower(name), ".")
		plural += "s"
		if grouped {
			plural += "." + group
		}
		one := listed{kind: kind{name: name, plural: plural}}
		exact := json.NewDecoder(strings.NewReader(body))
		exact.UseNumber()
		if err := exact.Decode(&one.body); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		one.body["apiVersion"], one.body["kind"] = "x/v1", name
		all = append(all, one)
	}
	return all
}

func differences(t *testing.T, left, right string, o compareOptions) string {
	t.Helper()
	if o.owners == "" {
		o.owners = ownersResolved
	}
	c, err := compare(siteOf(t, left), siteOf(t, right), o)
	if err != nil {
		t.Fatal(err)
	}
	if c.total().Left == 0 {
		t.Fatal("nothing was compared")
	}
	if c.Equal != (len(c.Differences) == 0) {
		t.Fatal("equal, and not")
	}
	var lines []string
	for _, d := range c.Differences {
		lines = append(lines, d.String())
	}
	return strings.Join(lines, "\n")
}

// changed replaces what is there exactly once, so that no case can miss.
func changed(t *testing.T, from, to string) string {
	t.Helper()
	if n := strings.Count(smallSite, from); n != 1 {
		t.Fatalf("%s is there %d times", from, n)
	}
	return strings.Replace(smallSite, from, to, 1)
}

// lineOf is the whole line of the small site that begins so.
func lineOf(t *testing.T, begins string) string {
	t.Helper()
	for line := range strings.Lines(smallSite) {
		if strings.HasPrefix(line, begins) {
			return line
		}
	}
	t.Fatalf("no line begins with %s", begins)
	return ""
}

func TestEveryRealDifferenceIsSeen(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{`"a":"1"},"binaryData"`, `"a":"2"},"binaryData"`, `changed ConfigMap shop/settings .data.a: "1" → "2"`},
		{`"a":"1"},"binaryData"`, `"a":"1","z":""},"binaryData"`, `changed ConfigMap shop/settings .data.z: (none) → ""`},
		{`{"b":"AA=="}`, `{}`, `changed ConfigMap shop/settings .binaryData.b: "AA==" → (none)`},
		{`,"team":"commerce"`, ``, `changed Namespace shop .metadata.labels: {"team":"commerce"} → (none)`},
		{`"finalizers":["x/y","a/b"]`, `"finalizers":["x/y"]`, "changed ConfigMap shop/cache .metadata.finalizers[0]: \"a/b\" → \"x/y\"\nchanged ConfigMap shop/cache .metadata.finalizers[1]: \"x/y\" → (none)"},
		{`"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"settings","uid":"c1","controller":false}],`, ``,
			`changed ConfigMap shop/cache .metadata.ownerReferences: [{"controller":false,"owner":"ConfigMap/settings"}] → (none)`},
		{`"uid":"c1","controller":false`, `"uid":"gone","controller":false`,
			`changed ConfigMap shop/cache .metadata.ownerReferences[0].owner: "ConfigMap/settings" → "nobody, said to be ConfigMap/settings"`},
		{`"uid":"c1","controller":false`, `"uid":"a2","controller":false`,
			`changed ConfigMap shop/cache .metadata.ownerReferences[0].owner: "ConfigMap/settings" → "shop/ServiceAccount/web, said to be ConfigMap/settings"`},
		{`"uid":"c1","controller":false`, `"uid":"c1","controller":true`, `changed ConfigMap shop/cache .metadata.ownerReferences[0].controller: false → true`},
		{`"name":"default","namespace":"shop","uid":"a1"}`, `"name":"default","namespace":"shop","uid":"a1"},"imagePullSecrets":[{"name":"pull"}]`, `extra ServiceAccount shop/default`},
		{`{"name":"web-token-abcde"},{"name":"mine"}`, `{"name":"web-token-abcde"}`, `changed ServiceAccount shop/web .secrets: [{"name":"mine"}] → (none)`},
		{`"extra":"eA=="`, `"extra":"eQ=="`, `changed Secret shop/robot .data.extra: "eA==" → "eQ=="`},
		{`c2VjcmV0`, `c2VjcmU=`, `changed Secret shop/db .data.password: "c2VjcmV0" → "c2VjcmU="`},
		{`"spec":{"replicas":3},"status":{"readyReplicas":3}`, `"spec":{"replicas":0},"status":{"readyReplicas":3}`, `changed Deployment.apps shop/web .spec.replicas: 3 → 0`},
		{`"name":"web","uid":"d","controller":true`, `"name":"web","uid":"gone","controller":true`, `extra ReplicaSet.apps shop/web-1`},
		{`"name":"web","uid":"d","controller":true`, `"name":"web","uid":"d"`, `extra ReplicaSet.apps shop/web-1`},
		{`"port":80,"nodePort":30001`, `"port":81,"nodePort":30001`, `changed Service shop/web .spec.ports[0].port: 80 → 81`},
		{`"clusterIP":"None","clusterIPs":["None"]`, `"clusterIP":"10.10.0.6","clusterIPs":["10.10.0.6"]`,
			"changed Service shop/headless .spec.clusterIP: \"None\" → (none)\nchanged Service shop/headless .spec.clusterIPs: [\"None\"] → (none)"},
		{`192.0.2.1`, `192.0.2.2`, `changed Endpoints shop/outside .subsets[0].addresses[0].ip: "192.0.2.1" → "192.0.2.2"`},
		{`,"mine":"kept"`, ``, `changed PersistentVolumeClaim shop/data .metadata.annotations: {"mine":"kept"} → (none)`},
		{`"storageClassName":"standard"`, `"storageClassName":"slow"`, `changed PersistentVolumeClaim shop/data .spec.storageClassName: "standard" → "slow"`},
		{`"path":"/tape"`, `"path":"/disk"`, `changed PersistentVolume tape .spec.hostPath.path: "/tape" → "/disk"`},
		{`"claimRef":{"namespace":"shop","name":"data"`, `"claimRef":{"namespace":"shop","name":"other"`, `changed PersistentVolume tape .spec.claimRef.name: "data" → "other"`},
		{`"controller-uid":"j","app":"once"`, `"controller-uid":"j","app":"twice"`, `changed Job.batch shop/once .spec.template.metadata.labels.app: "once" → "twice"`},
		{`"job":"once"`, `"job":"twice"`, `changed Job.batch shop/once .metadata.labels.job: "once" → "twice"`},
		{`"image":"a:1"`, `"image":"a:2"`, `changed Pod shop/alone .spec.containers[0].image: "a:1" → "a:2"`},
		{`"kube-api-access-x1"},{"name":"data"}`, `"kube-api-access-x1"}`, `changed Pod shop/alone .spec.volumes: [{"name":"data"}] → (none)`},
		{`"subjects":[{"kind":"ServiceAccount","name":"web","namespace":"shop"}]`, `"subjects":[{"kind":"ServiceAccount","name":"web","namespace":"shop2"}]`,
			`changed RoleBinding.rbac.authorization.k8s.io shop/web .subjects[0].namespace: "shop" → "shop2"`},
		{`"percent":10`, `"percent":11`, `changed Coupon.shop.example.com shop/spring .spec.percent: 10 → 11`},
		{`"metadata":{"name":"spring",`, `"metadata":{"name":"spring","deletionTimestamp":"2026-01-01T00:00:00Z",`, `changed Coupon.shop.example.com shop/spring .metadata.deletionTimestamp: (none) → "being deleted"`},
		{`"metadata":{"name":"spring",`, `"metadata":{"name":"spring","labels":{"velero.io/other":"x"},`, `changed Coupon.shop.example.com shop/spring .metadata.labels: (none) → {"velero.io/other":"x"}`},
		{lineOf(t, "StorageClass"), ``, `missing StorageClass.storage.k8s.io standard`},
		{lineOf(t, "Coupon"), ``, `missing Coupon.shop.example.com shop/spring`},
	} {
		if got := differences(t, smallSite, changed(t, c.from, c.to), compareOptions{}); got != c.want {
			t.Errorf("%s → %s\ngot  %s\nwant %s", c.from, c.to, got, c.want)
		}
	}
	if got := differences(t, changed(t, lineOf(t, "Coupon"), ``), smallSite, compareOptions{}); got != `extra Coupon.shop.example.com shop/spring` {
		t.Errorf("got %s", got)
	}
}

func TestWhatAClusterAssignsIsNoDifference(t *testing.T) {
	if got := differences(t, smallSite, smallSite, compareOptions{}); got != "" {
		t.Fatalf("a site differs from itself: %s", got)
	}
	for _, c := range [][2]string{
		{`"resourceVersion":"7","creationTimestamp":"2026-01-01T00:00:00Z","managedFields":[{"manager":"a"}]`, `"resourceVersion":"8","generation":2`},
		{`"uid":"d","generation":3,"annotations":{"deployment.kubernetes.io/revision":"3"}`, `"uid":"d","generation":1`},
		{`"readyReplicas":3`, `"readyReplicas":0`},
		{`"clusterIP":"10.10.0.5","clusterIPs":["10.10.0.5"]`, `"clusterIP":"10.20.0.7","clusterIPs":["10.20.0.7"]`},
		{`,"nodePort":30001`, `,"nodePort":30002`},
		{`10.11.0.9`, `10.21.0.9`},
		{lineOf(t, "EndpointSlice"), ``},
		{lineOf(t, "ReplicaSet"), ``},
		{lineOf(t, `ServiceAccount|{"metadata":{"name":"default"`), ``},
		{lineOf(t, `ConfigMap|{"metadata":{"name":"kube-root-ca.crt"`), ``},
		{lineOf(t, `Secret|{"metadata":{"name":"web-token`), ``},
		{lineOf(t, `PersistentVolume|{"metadata":{"name":"pvc-1"`), ``},
		{lineOf(t, "Lease"), ``},
		{lineOf(t, "Node"), ``},
		{lineOf(t, "Backup"), ``},
		{lineOf(t, `ConfigMap|{"metadata":{"name":"settings","namespace":"kube-system"`), ``},
		{lineOf(t, `ConfigMap|{"metadata":{"name":"settings","namespace":"velero"`), ``},
		{`"name":"web-token-abcde"},{"name":"mine"}`, `"name":"mine"}`},
		{`,"kubernetes.io/service-account.uid":"a2"`, ``},
		{`"token":"ZQ==","extra"`, `"token":"Zg==","extra"`},
		{`"pv.kubernetes.io/bind-completed":"yes",`, ``},
		{`"volumeName":"pvc-1",`, ``},
		{`"uid":"p","resourceVersion":"9"`, `"uid":"q"`},
		{`{"selector":{"matchLabels":{"batch.kubernetes.io/controller-uid":"j"}},"template"`, `{"selector":{"matchLabels":{"batch.kubernetes.io/controller-uid":"k"}},"template"`},
		{`{"batch.kubernetes.io/controller-uid":"j","job"`, `{"job"`},
		{`"controller-uid":"j","app"`, `"controller-uid":"k","app"`},
		{`"nodeName":"east-node-1"`, `"nodeName":"west-node-1"`},
		{`{"name":"kube-api-access-x1"},{"name":"data"}`, `{"name":"kube-api-access-x2"},{"name":"data"}`},
		{`"finalizers":["x/y","a/b"]`, `"finalizers":["a/b","x/y"]`},
		{`"redeemed":9007199254740993`, `"redeemed":1`},
		{`"metadata":{"name":"spring",`, `"metadata":{"name":"spring","labels":{"velero.io/backup-name":"b","velero.io/restore-name":"r"},"annotations":{"lifeboat.dev/run":"x"},`},
		{`"metadata":{"name":"spring",`, `"metadata":{"name":"spring","annotations":null,`},
	} {
		if got := differences(t, smallSite, changed(t, c[0], c[1]), compareOptions{}); got != "" {
			t.Errorf("%s → %s\ngot %s", c[0], c[1], got)
		}
	}
}

func TestOtherUIDsAreNoDifference(t *testing.T) {
	other := smallSite
	for _, uid := range []string{"n", "c1", "c2", "c3", "a1", "a2", "d", "r", "s", "p"} {
		other = strings.ReplaceAll(other, fmt.Sprintf(`"uid":%q`, uid), fmt.Sprintf(`"uid":"west-%s"`, uid))
	}
	if got := differences(t, smallSite, other, compareOptions{}); got != "" {
		t.Error(got)
	}
}

func TestOwnersCanBeComparedByNameOrNotAtAll(t *testing.T) {
	dangling := changed(t, `"uid":"c1","controller":false`, `"uid":"gone","controller":false`)
	renamed := changed(t, `"name":"settings","uid":"c1","controller":false`, `"name":"other","uid":"c1","controller":false`)
	for _, c := range []struct {
		right, owners string
		equal         bool
	}{
		{dangling, ownersResolved, false}, {dangling, ownersByName, true}, {dangling, ownersIgnored, true},
		{renamed, ownersResolved, false}, {renamed, ownersByName, false}, {renamed, ownersIgnored, true},
	} {
		if got := differences(t, smallSite, c.right, compareOptions{owners: c.owners}); (got == "") != c.equal {
			t.Errorf("%s: %s", c.owners, got)
		}
	}
}

func TestStatusIsComparedWhereAsked(t *testing.T) {
	other := changed(t, `9007199254740993`, `9007199254740992`) // the same as a float64
	for _, name := range []string{"coupons.shop.example.com", "Coupon.shop.example.com"} {
		got := differences(t, smallSite, other, compareOptions{Status: words{name}})
		if want := "changed Coupon.shop.example.com shop/spring .status.redeemed: 9007199254740993 → 9007199254740992"; got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestIgnoredKindsAndOtherNamespacesAreLeftOut(t *testing.T) {
	other := changed(t, lineOf(t, "Coupon"), ``)
	if got := differences(t, smallSite, other, compareOptions{Ignore: words{"coupons.shop.example.com"}}); got != "" {
		t.Error(got)
	}
	other = changed(t, lineOf(t, "StorageClass"), ``)
	if got := differences(t, smallSite, other, compareOptions{Namespaces: words{"shop"}}); got != "" {
		t.Error(got)
	}
}

func TestAMappedNamespaceIsTheSameUnderAnotherName(t *testing.T) {
	mapped := strings.NewReplacer(`"namespace":"shop"`, `"namespace":"shop2"`, `{"name":"shop",`, `{"name":"shop2",`,
		`"kubernetes.io/metadata.name":"shop"`, `"kubernetes.io/metadata.name":"shop2"`).Replace(smallSite)
	o := compareOptions{Namespaces: words{"shop"}, Map: pairs{"shop": "shop2"}}
	if got := differences(t, smallSite, mapped, o); got != "" {
		t.Error(got)
	}
	// A subject that was left behind is a right given to a stranger.
	left := strings.Replace(mapped, `"name":"web","namespace":"shop2"}],"roleRef"`, `"name":"web","namespace":"shop"}],"roleRef"`, 1)
	want := `changed RoleBinding.rbac.authorization.k8s.io shop2/web .subjects[0].namespace: "shop2" → "shop"`
	if got := differences(t, smallSite, left, o); got != want {
		t.Errorf("got %s", got)
	}
	if got := differences(t, smallSite, smallSite, o); !strings.Contains(got, "missing Namespace shop2") {
		t.Errorf("a restore into the old namespace passed: %s", got)
	}
}

func TestQuestionsThatWouldSayTooLittleAreRefused(t *testing.T) {
	two := smallSite + `Namespace|{"metadata":{"name":"shop2"}}` + "\n"
	for _, c := range []struct {
		o    compareOptions
		want string
	}{
		{compareOptions{Namespaces: words{"shp"}}, "on neither site"},
		{compareOptions{Map: pairs{"shop": "shop2"}}, "of its own"},
		{compareOptions{Namespaces: words{"shop"}, Map: pairs{"other": "shop2"}}, "not among"},
	} {
		if _, err := compare(siteOf(t, two), siteOf(t, two), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}

func TestLongValuesAreCutBetweenCharacters(t *testing.T) {
	if got := short(strings.Repeat("é", 100)); !strings.HasSuffix(got, "é… (202 bytes)") {
		t.Error(got)
	}
}
