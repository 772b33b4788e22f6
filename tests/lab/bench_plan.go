package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// How long a large plan takes to be made and looked over on live sites: services of five
// steps each, all restored from one backup. `lifeboat plan` reads, and does the preflight.

// stepsEach is how many steps a service of planRunbook has.
const stepsEach = 5

// planRunbook is a failover of so many services, each in a namespace of the load.
func planRunbook(services int) string {
	var b strings.Builder
	b.WriteString("apiVersion: lifeboat.dev/v1alpha1\nkind: Runbook\nmetadata: { name: bench }\nspec:\n" +
		"  objectives: { rto: 4h, rpo: 1h }\n  roles: { active: east, standby: west }\n  steps:\n")
	for i := range services {
		at := fmt.Sprintf("load-%02d", i)
		step := func(name, needs, what string) {
			fmt.Fprintf(&b, "    - name: %s-%02d\n      modes: [failover]\n", name, i)
			if needs != "" {
				fmt.Fprintf(&b, "      needs: [%s-%02d]\n", needs, i)
			}
			fmt.Fprintf(&b, "      %s\n", what)
		}
		step("stop", "", fmt.Sprintf("fence: { site: active, namespaces: [%s] }", at))
		step("restore", "stop", fmt.Sprintf("restore: { site: standby, from: vault, backup: latest-verified, namespaces: [%s], existing: update }", at))
		step("let-go", "restore", fmt.Sprintf("unfence: { site: standby, namespaces: [%s] }", at))
		step("up", "let-go", fmt.Sprintf("wait: { site: standby, for: deployment/web-%04d, namespace: %s, condition: available }", i, at))
		step("answers", "up", fmt.Sprintf("probe: { http: \"${sites.standby.front}/%s/healthz\", expect: { status: 200 } }", at))
	}
	return b.String()
}

func dispatchBenchPlan(args []string) error {
	b := bench{}
	steps := 200
	flags := flag.NewFlagSet("lab bench-plan", flag.ContinueOnError)
	flags.StringVar(&b.lifeboat, "lifeboat", "target/release/lifeboat", "the `program`")
	flags.StringVar(&b.repo, "repo", "", "the checkout (default: found from the working directory upwards)")
	flags.IntVar(&steps, "steps", steps, "how `many` steps")
	flags.IntVar(&b.rounds, "rounds", 5, "`times`; the median is said")
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp
	}
	services := steps / stepsEach
	if services*stepsEach != steps || services < 1 || services > loadNamespaces {
		return fmt.Errorf("--steps %d: a multiple of %d up to %d", steps, stepsEach, stepsEach*loadNamespaces)
	}
	if b.rounds < 1 {
		return fmt.Errorf("--rounds %d: at least one", b.rounds)
	}
	// One application in each namespace of the load.
	return b.withLab(loadNamespaces*len(loadKinds), func(l benchLab) error { return b.plan(l, services) })
}

func (b *bench) plan(l benchLab, services int) error {
	made, err := b.backup(l)
	if err != nil {
		return err
	}
	runbook := l.at.path("..", "runbook.yaml")
	if err := os.WriteFile(runbook, []byte(planRunbook(services)), 0o600); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d services, %d steps, a backup of %d objects; %s\n", services, services*stepsEach, made.Objects, filepath.Base(b.lifeboat))
	var all []measurement
	for round := range b.rounds {
		m := measurement{Program: "lifeboat", Work: "plan", Objects: services * stepsEach}
		said, err := l.measure(&m, "west", b.ours(l, "plan", runbook, "--mode", "failover"))
		if err != nil {
			return err
		}
		if !strings.Contains(said, "Preflight") {
			return fmt.Errorf("there is no preflight in\n%s", lastLines(said, 40))
		}
		fmt.Fprintf(os.Stderr, "%d: %.2f s, %d MiB, %d requests at west; load %s\n", round+1, m.Seconds, m.PeakRSSBytes>>20, m.APIRequests, m.Load)
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b measurement) int { return int(1e6 * (a.Seconds - b.Seconds)) })
	m := all[len(all)/2]
	fmt.Printf("plan and preflight of %d steps: %.2f s (median of %d; %.2f to %.2f), %s requests at west\n",
		services*stepsEach, m.Seconds, len(all), all[0].Seconds, all[len(all)-1].Seconds, strconv.Itoa(m.APIRequests))
	return nil
}
