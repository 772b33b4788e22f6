package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
)

// makeNodes adds the node objects that kwok then plays.
func (s *site) makeNodes(ctx context.Context) error {
	for i := 1; i <= 2; i++ {
		name := fmt.Sprintf("%s-node-%d", s.name, i)
		node := map[string]any{
			"apiVersion": "v1", "kind": "Node",
			"metadata": map[string]any{"name": name, "labels": map[string]string{
				"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
				"topology.kubernetes.io/region": s.name, "topology.kubernetes.io/zone": fmt.Sprintf("%s-%d", s.name, i),
			}},
		}
		body, err := json.Marshal(node)
		if err != nil {
			return err
		}
		if err := s.admin.do(ctx, http.MethodPost, "/api/v1/nodes", "application/json", body, nil); err != nil {
			return fmt.Errorf("making node %s: %w", name, err)
		}
	}
	return nil
}

// programsOfPods lets commands in pods run as programs of this machine: kwok's pods have none. Whoever
// reaches the port of its kubelet may run something, so under root it is nobody who runs it.
func programsOfPods() []byte {
	user := ""
	if os.Geteuid() == 0 {
		user = ", securityContext: {runAsUser: 65534, runAsGroup: 65534}"
	}
	return fmt.Appendf(nil, `---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterExec
metadata: {name: programs}
spec:
  execs:
  - local: {workDir: /%s}
`, user)
}

// works asks for what only working controllers bring about: kwok makes the nodes ready,
// then the controller manager takes their taints away, and it makes service accounts.
func (s *site) works(ctx context.Context) error {
	var nodes struct {
		Items []struct {
			Spec   struct{ Taints []struct{ Key string } }
			Status struct {
				Conditions []struct{ Type, Status string }
			}
		}
	}
	if err := s.admin.get(ctx, "/api/v1/nodes", &nodes); err != nil {
		return err
	}
	ready := 0
	for _, node := range nodes.Items {
		for _, c := range node.Status.Conditions {
			if c.Type == "Ready" && c.Status == "True" && len(node.Spec.Taints) == 0 {
				ready++
			}
		}
	}
	if ready < 2 {
		return fmt.Errorf("%d of 2 nodes ready", ready)
	}
	return s.admin.get(ctx, "/api/v1/namespaces/default/serviceaccounts/default", nil)
}
